"""A worker of packages story and report for aiokafka.

usage: python aio_kafka.py ADDRESS TOPIC GROUP NAME
       python aio_kafka.py tasks ADDRESS
"""

import asyncio
import faulthandler
import signal
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from tasks import HEADERS, do_tasks, keys_and_values, tell, tell_record

TIMEOUT = 12


class Listener(ConsumerRebalanceListener):
    # aiokafka does not tell the generation.
    async def on_partitions_assigned(self, assigned):
        tell(event="owns", generation=-1, partitions=sorted(p.partition for p in assigned))

    async def on_partitions_revoked(self, revoked):
        tell(event="owns", generation=-1, partitions=[])


async def member(address, topic, group, name):
    leaving = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leaving.set)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address, group_id=group, client_id=name, auto_offset_reset="earliest", enable_auto_commit=False,
        session_timeout_ms=3000, heartbeat_interval_ms=300, max_poll_interval_ms=10000, fetch_max_wait_ms=300)
    consumer.subscribe([topic], listener=Listener())
    await consumer.start()
    while not leaving.is_set():
        for partition, records in (await consumer.getmany(timeout_ms=200)).items():
            for r in records:
                tell(event="record", partition=r.partition, offset=r.offset, value=r.value.decode())
            end = records[-1].offset + 1
            try:
                await consumer.commit({partition: end})
                tell(event="committed", partition=partition.partition, offset=end)
            except KafkaError as e:  # made good by a later commit, or by who reads the records again
                print("commit:", repr(e), file=sys.stderr)
    await consumer.stop()


class Tasks:
    def __init__(self, address):
        self.address = address

    async def send(self, topic, count=10, headers=None, **settings):
        async with AIOKafkaProducer(bootstrap_servers=self.address, acks="all", **settings) as producer:
            for key, value in keys_and_values(count):
                await producer.send(topic, value, key, partition=0, headers=headers)
            await producer.flush()

    async def consume(self, topic, count):
        consumer = AIOKafkaConsumer(bootstrap_servers=self.address)
        await consumer.start()
        try:
            consumer.assign([TopicPartition(topic, 0)])
            await consumer.seek_to_beginning()
            for _ in range(int(count)):
                r = await consumer.getone()
                tell_record(r.offset, r.timestamp, r.key, r.value, r.headers)
        finally:
            await consumer.stop()

    async def look_up(self, topic, time):
        consumer = AIOKafkaConsumer(bootstrap_servers=self.address)
        await consumer.start()
        try:
            partition = TopicPartition(topic, 0)
            tell(event="offset", offset=(await consumer.offsets_for_times({partition: int(time)}))[partition].offset)
        finally:
            await consumer.stop()

    async def with_admin(self, call):
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        await admin.start()
        try:
            return await call(admin)
        finally:
            await admin.close()

    async def create(self, topic):
        new = NewTopic(topic, num_partitions=3, replication_factor=1, topic_configs={"retention.ms": "3600000"})
        answer = await self.with_admin(lambda admin: admin.create_topics([new]))
        expect([error[1] for error in answer.topic_errors])

    async def describe(self, topic):
        [described] = await self.with_admin(lambda admin: admin.describe_topics([topic]))
        expect([described["error_code"]])
        tell(event="topic", count=len(described["partitions"]))

    async def delete(self, topic):
        answer = await self.with_admin(lambda admin: admin.delete_topics([topic]))
        expect([error[1] for error in answer.topic_error_codes])

    async def alter(self, topic, key, value):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={key: value})
        for answer in await self.with_admin(lambda admin: admin.alter_configs([resource])):
            expect([altered[0] for altered in answer.resources])

    async def configs(self, topic, key):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={key: None})
        for answer in await self.with_admin(lambda admin: admin.describe_configs([resource])):
            for described in answer.resources:
                expect([described[0]])
                for entry in described[4]:
                    tell(event="config", value=entry[1])

    async def do(self, task, topic, *words):
        if task == "produce":
            await self.send(topic, compression_type=None if words[0] == "none" else words[0])
        elif task == "idempotent":
            await self.send(topic, enable_idempotence=True)
        elif task == "headers":
            await self.send(topic, 1, HEADERS)
        else:
            await getattr(self, task.replace("-", "_"))(topic, *words)


def expect(errors):
    if any(errors):
        raise RuntimeError(f"error codes {errors}")


def main(*args):
    faulthandler.register(signal.SIGQUIT)
    if args[0] == "tasks":
        tasks = Tasks(args[1])
        do_tasks(lambda *words: asyncio.run(asyncio.wait_for(tasks.do(*words), TIMEOUT)))
        return
    asyncio.run(member(*args))


main(*sys.argv[1:])
