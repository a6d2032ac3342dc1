"""The tasks of package report with kafka-python."""

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic

from tasks import HEADERS, do_tasks, keys_and_values, tell, tell_record

TIMEOUT = 12


class Tasks:
    def __init__(self, address):
        self.address = address

    def send(self, topic, count=10, headers=None, **settings):
        producer = KafkaProducer(bootstrap_servers=self.address, acks="all", **settings)
        sent = [producer.send(topic, value, key, headers=headers, partition=0) for key, value in keys_and_values(count)]
        producer.flush(TIMEOUT)
        for future in sent:
            future.get(TIMEOUT)
        producer.close()

    def consume(self, topic, count):
        consumer = KafkaConsumer(bootstrap_servers=self.address, consumer_timeout_ms=TIMEOUT * 1000)
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek_to_beginning()
        for n, r in enumerate(consumer, 1):
            tell_record(r.offset, r.timestamp, r.key, r.value, r.headers)
            if n == int(count):
                break
        consumer.close()

    def look_up(self, topic, time):
        consumer = KafkaConsumer(bootstrap_servers=self.address)
        partition = TopicPartition(topic, 0)
        tell(event="offset", offset=consumer.offsets_for_times({partition: int(time)})[partition].offset)
        consumer.close()

    def with_admin(self, call):
        admin = KafkaAdminClient(bootstrap_servers=self.address)
        try:
            return call(admin)
        finally:
            admin.close()

    def create(self, topic):
        new = NewTopic(topic, num_partitions=3, replication_factor=1, topic_configs={"retention.ms": "3600000"})
        self.with_admin(lambda admin: admin.create_topics([new]))

    def describe(self, topic):
        [described] = self.with_admin(lambda admin: admin.describe_topics([topic]))
        tell(event="topic", count=len(described["partitions"]))

    def delete(self, topic):
        self.with_admin(lambda admin: admin.delete_topics([topic]))

    def alter(self, topic, key, value):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={key: value})
        self.with_admin(lambda admin: admin.alter_configs([resource]))

    def configs(self, topic, key):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={key: None})
        for answer in self.with_admin(lambda admin: admin.describe_configs([resource])):
            for described in answer.resources:
                for entry in described[4]:
                    tell(event="config", value=entry[1])

    def do(self, task, topic, *words):
        if task == "produce":
            self.send(topic, compression_type=None if words[0] == "none" else words[0], enable_idempotence=False)
        elif task == "idempotent":
            self.send(topic, enable_idempotence=True)
        elif task == "headers":
            self.send(topic, 1, HEADERS)
        else:
            getattr(self, task.replace("-", "_"))(topic, *words)


def main(address):
    do_tasks(Tasks(address).do)
