"""A worker of packages story and report for confluent-kafka, which is librdkafka.

usage: python confluent.py STRATEGY ADDRESS TOPIC GROUP NAME
       python confluent.py tasks ADDRESS
STRATEGY: range (eager), cooperative-sticky, or consumer for the protocol of KIP-848
"""

import faulthandler
import json
import signal
import sys

from confluent_kafka import Consumer, KafkaException, TopicPartition

import confluent_tasks


def tell(**event):
    print(json.dumps(event), flush=True)


def settings(strategy, address, group, name):
    common = {
        "bootstrap.servers": address, "group.id": group, "client.id": name, "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "fetch.wait.max.ms": 300, "reconnect.backoff.max.ms": 500,
    }
    if strategy == "consumer":
        return common | {"group.protocol": "consumer"}
    return common | {"partition.assignment.strategy": strategy, "session.timeout.ms": 3000, "heartbeat.interval.ms": 300}


def main(strategy, address, topic, group, name):
    faulthandler.register(signal.SIGQUIT)
    leaving = []
    signal.signal(signal.SIGTERM, lambda *_: leaving.append(True))
    consumer = Consumer(settings(strategy, address, group, name))
    owned = set()

    def change(added, removed):
        # librdkafka does not tell the generation.
        owned.update(p.partition for p in added)
        owned.difference_update(p.partition for p in removed)
        tell(event="owns", generation=-1, partitions=sorted(owned))

    consumer.subscribe(
        [topic], on_assign=lambda _, p: change(p, []), on_revoke=lambda _, p: change([], p), on_lost=lambda _, p: change([], p))
    while not leaving:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            print("poll:", message.error(), file=sys.stderr)
            continue
        partition, offset = message.partition(), message.offset()
        tell(event="record", partition=partition, offset=offset, value=message.value().decode())
        try:
            for p in consumer.commit(offsets=[TopicPartition(topic, partition, offset + 1)], asynchronous=False):
                if p.error:
                    raise KafkaException(p.error)
            tell(event="committed", partition=partition, offset=offset + 1)
        except KafkaException as e:  # made good by a later commit, or by who reads the record again
            print("commit:", e, file=sys.stderr)
    consumer.close()


if sys.argv[1] == "tasks":
    confluent_tasks.main(sys.argv[2])
else:
    main(*sys.argv[1:])
