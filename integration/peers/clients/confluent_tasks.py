"""The tasks of package report with confluent-kafka."""

import uuid

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from tasks import HEADERS, do_tasks, keys_and_values, tell, tell_record

TIMEOUT = 12


class Tasks:
    def __init__(self, address):
        self.address = {"bootstrap.servers": address}
        self.admin = AdminClient(self.address)

    def send(self, topic, count=10, headers=None, **settings):
        failures = []
        producer = Producer(self.address | settings)
        for key, value in keys_and_values(count):
            producer.produce(
                topic, value, key, partition=0, headers=headers or [], on_delivery=lambda e, _: failures.append(e) if e else None)
        left = producer.flush(TIMEOUT)
        if failures or left:
            raise RuntimeError(f"{left} records are left, failed: {failures}")

    def consumer(self):
        return Consumer(self.address | {"group.id": "none-" + uuid.uuid4().hex, "enable.auto.commit": False})

    def consume(self, topic, count):
        consumer = self.consumer()
        consumer.assign([TopicPartition(topic, 0, 0)])
        for m in consumer.consume(int(count), TIMEOUT):
            if m.error():
                raise KafkaException(m.error())
            tell_record(m.offset(), m.timestamp()[1], m.key(), m.value(), m.headers())
        consumer.close()

    def look_up(self, topic, time):
        consumer = self.consumer()
        [found] = consumer.offsets_for_times([TopicPartition(topic, 0, int(time))], TIMEOUT)
        consumer.close()
        tell(event="offset", offset=found.offset)

    def create(self, topic):
        new = NewTopic(topic, num_partitions=3, replication_factor=1, config={"retention.ms": "3600000"})
        self.admin.create_topics([new])[topic].result(TIMEOUT)

    def describe(self, topic):
        tell(event="topic", count=len(self.admin.list_topics(topic, TIMEOUT).topics[topic].partitions))

    def delete(self, topic):
        self.admin.delete_topics([topic])[topic].result(TIMEOUT)

    def alter(self, topic, key, value):
        entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(TIMEOUT)

    def configs(self, topic, key):
        resource = ConfigResource(ResourceType.TOPIC, topic)
        tell(event="config", value=self.admin.describe_configs([resource])[resource].result(TIMEOUT)[key].value)

    def do(self, task, topic, *words):
        if task == "produce":
            self.send(topic, **{"compression.type": words[0]})
        elif task == "idempotent":
            self.send(topic, **{"enable.idempotence": True})
        elif task == "headers":
            self.send(topic, 1, HEADERS)
        else:
            getattr(self, task.replace("-", "_"))(topic, *words)


def main(address):
    do_tasks(Tasks(address).do)
