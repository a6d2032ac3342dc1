# kbroker on an empty base: the binary is static and needs nothing.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=docker
# A folder that the user of the final stage owns, since an empty base has no mkdir.
RUN make build VERSION=$VERSION && mkdir -p /data

FROM scratch
COPY --from=build /src/bin/kbroker /kbroker
COPY --from=build --chown=10001:10001 /data /data
USER 10001:10001
VOLUME /data
EXPOSE 9092 9100
ENTRYPOINT ["/kbroker"]
CMD ["dev", "--log-dirs", "/data", "--listeners", "PLAINTEXT://:9092", "--advertised-listeners", "PLAINTEXT://localhost:9092", "--metrics-listen", ":9100"]
