"""A worker of packages story and report for kafka-python.

usage: python kafka_python.py ADDRESS TOPIC GROUP NAME
       python kafka_python.py tasks ADDRESS
"""

import faulthandler
import json
import logging
import signal
import sys
import time

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

import kafka_python_tasks


def tell(**event):
    print(json.dumps(event), flush=True)


class Listener(ConsumerRebalanceListener):
    def __init__(self, consumer):
        self.consumer = consumer

    def owns(self, partitions):
        # The listener runs inside of the coordinator, which knows the generation.
        generation = self.consumer._coordinator._generation.generation_id
        tell(event="owns", generation=generation, partitions=sorted(p.partition for p in partitions))

    def on_partitions_assigned(self, assigned):
        self.owns(assigned)

    def on_partitions_revoked(self, revoked):
        self.owns([])


def patiently(work):
    """Tries until it succeeds: without a broker, the library raises what it met."""
    while True:
        try:
            return work()
        except KafkaError as e:
            print("again:", repr(e), file=sys.stderr)
            time.sleep(0.1)


def main(address, topic, group, name):
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    faulthandler.register(signal.SIGQUIT)
    leaving = []
    signal.signal(signal.SIGTERM, lambda *_: leaving.append(True))
    consumer = patiently(lambda: KafkaConsumer(
        bootstrap_servers=address, group_id=group, client_id=name, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=3000, heartbeat_interval_ms=300, max_poll_interval_ms=10000, fetch_max_wait_ms=300,
        reconnect_backoff_max_ms=500,
        metadata_max_age_ms=1000))  # a topic that had no leader yet when the broker came back is not asked about before
    consumer.subscribe([topic], listener=Listener(consumer))
    while not leaving:
        for partition, records in patiently(lambda: consumer.poll(timeout_ms=200)).items():
            for r in records:
                tell(event="record", partition=r.partition, offset=r.offset, value=r.value.decode())
            end = records[-1].offset + 1
            try:
                consumer.commit({TopicPartition(topic, partition.partition): OffsetAndMetadata(end, "", -1)})
                tell(event="committed", partition=partition.partition, offset=end)
            except KafkaError as e:  # made good by a later commit, or by who reads the records again
                print("commit:", repr(e), file=sys.stderr)
    consumer.close()


if sys.argv[1] == "tasks":
    kafka_python_tasks.main(sys.argv[2])
else:
    main(*sys.argv[1:])
