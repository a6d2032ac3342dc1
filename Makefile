# kbroker's house-keeping. `make help` prints what each target does.
SHELL := /usr/bin/env bash
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# One binary without libc, so that it runs on any base image.
BUILD := CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w -X main.version=$(VERSION)"
FUZZTIME ?= 30s
SEEDS ?= 200
OUT ?= bin/kbroker

.DEFAULT_GOAL := help
.PHONY: help build run test race simulate fuzz lint bench bench-cluster planted compat record report cluster cluster-local clean docs

help: ## print this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 15

build: ## build the static binary bin/kbroker
	$(BUILD) -o $(OUT) ./cmd/kbroker

run: build ## build and start one broker on localhost:9092 with the embedded ZooKeeper server
	exec bin/kbroker dev

test: ## install what the tests need, then run every test under the race detector
	scripts/install-test-deps
	$(GO) test -race -timeout 25m ./...

race: ## run the unit tests three times under the race detector
	$(GO) test -race -count=3 -timeout 25m $$($(GO) list ./... | grep -v /integration)

simulate: ## run the cluster in virtual time under SEEDS=200 seeds of faults (KBROKER_SIM_FOR=1h: as long as you like)
	set -o pipefail; KBROKER_SIM_SEEDS=$(SEEDS) $(GO) test -count=1 -v -timeout 0 -tags synctests -run TestSeeds ./integration/simulation | grep -vE "^=== |^ +--- PASS"
	[ -n "$$KBROKER_SIM_FOR" ] || KBROKER_SIM_SEEDS=$$(($(SEEDS) / 50)) $(GO) test -count=1 -race -timeout 0 -tags synctests -run TestSeeds ./integration/simulation

fuzz: ## run every fuzz target for FUZZTIME each (default 30s)
	scripts/fuzz $(FUZZTIME)

lint: ## vet, staticcheck, gofumpt and the house rules
	$(GO) vet -tags compat ./...
	$(GO) tool staticcheck -tags compat ./...
	@out=$$($(GO) tool gofumpt -l .); if [ -n "$$out" ]; then echo "not gofumpt'ed: $$out" >&2; exit 1; fi
	$(GO) test -count=1 -run TestHouse ./integration/house

bench: build ## measure kbroker beside the floor of the machine (and Apache Kafka, where a JDK and Maven are)
	$(GO) run ./integration/bench -broker bin/kbroker

bench-cluster: build ## measure three kbrokers beside one, and beside three Apache Kafka brokers, where a JDK and Maven are
	$(GO) run ./integration/bench -cluster -broker bin/kbroker

planted: ## plant bugs into copies of the tree and see the fault tests catch each
	scripts/install-test-deps
	integration/planted/run

compat: build ## run Apache Kafka's own programs against kbroker (brings a JDK, Maven and Kafka's jars when absent)
	scripts/install-test-deps
	scripts/install-test-deps compat
	$(GO) test -count=1 -timeout 30m -parallel 3 -tags compat ./integration/compat ./integration/exact
	$(GO) test -count=1 -timeout 20m -tags compat -run TestClients ./integration/report

record: ## write anew what Apache Kafka answers to the questions of integration/exact (needs what compat needs)
	scripts/install-test-deps compat
	KBROKER_RECORD=1 $(GO) test -count=1 -timeout 30m -tags compat -run TestRecording ./integration/exact

report: build ## ask client libraries of many languages what works with kbroker, and write docs/clients.md
	scripts/install-test-deps
	scripts/install-test-deps compat
	KBROKER_REPORT=write $(GO) test -count=1 -v -timeout 30m -tags compat -run TestClients ./integration/report

cluster: ## start three ZooKeeper servers and three brokers with docker compose
	docker compose up --build

cluster-local: build ## the same as plain processes on loopback, in the foreground (needs Java and ZooKeeper's jar; DIR=folder keeps the data)
	$(GO) run ./integration/local -broker bin/kbroker -dir "$(DIR)"

docs: ## write the generated tables of docs/compatibility.md anew
	$(GO) run ./integration/tables

clean: ## remove what was built
	rm -rf bin
