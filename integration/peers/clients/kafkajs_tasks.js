// The tasks of package report with KafkaJS.
const readline = require('readline')
const { CompressionTypes, ConfigResourceTypes } = require('kafkajs')

const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP }

module.exports = async (kafka, tell) => {
  const withAdmin = async (call) => {
    const admin = kafka.admin()
    await admin.connect()
    try {
      return await call(admin)
    } finally {
      await admin.disconnect()
    }
  }

  const send = async (topic, { count = 10, headers, compression, ...settings } = {}) => {
    const producer = kafka.producer(settings)
    await producer.connect()
    const messages = Array.from({ length: count }, (_, i) => ({ partition: 0, key: `k${i}`, value: `v${i}` + '.'.repeat(500), headers }))
    try {
      await producer.send({ topic, messages, compression })
    } finally {
      await producer.disconnect()
    }
  }

  // KafkaJS consumes in groups only.
  const consume = async (topic, count) => {
    const consumer = kafka.consumer({ groupId: `consume-${topic}-${count}`, maxWaitTimeInMs: 300 })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    let left = Number(count)
    await new Promise((resolve, reject) => {
      consumer.run({
        eachMessage: async ({ partition, message: m }) => {
          if (left <= 0) return
          tell({
            event: 'record', partition, offset: Number(m.offset), timestamp: Number(m.timestamp), key: m.key.toString(), value: m.value.toString(),
            headers: Object.entries(m.headers).map(([k, v]) => `${k}=${v}`),
          })
          left--
          if (left === 0) resolve()
        },
      }).catch(reject)
    })
    await consumer.disconnect()
  }

  const tasks = {
    produce: (topic, codec) => send(topic, { compression: codecs[codec] }),
    idempotent: (topic) => send(topic, { idempotent: true }),
    headers: (topic) => send(topic, { count: 1, headers: { a: '1', b: '2' } }),
    consume,
    'look-up': async (topic, time) => {
      const offsets = await withAdmin((admin) => admin.fetchTopicOffsetsByTimestamp(topic, Number(time)))
      tell({ event: 'offset', offset: Number(offsets.find((o) => o.partition === 0).offset) })
    },
    create: (topic) => withAdmin((admin) => admin.createTopics({
      topics: [{ topic, numPartitions: 3, replicationFactor: 1, configEntries: [{ name: 'retention.ms', value: '3600000' }] }],
    })),
    describe: async (topic) => {
      const { topics } = await withAdmin((admin) => admin.fetchTopicMetadata({ topics: [topic] }))
      tell({ event: 'topic', count: topics[0].partitions.length })
    },
    delete: (topic) => withAdmin((admin) => admin.deleteTopics({ topics: [topic] })),
    alter: (topic, name, value) => withAdmin((admin) => admin.alterConfigs({
      resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }],
    })),
    configs: async (topic, name) => {
      const { resources } = await withAdmin((admin) => admin.describeConfigs({
        includeSynonyms: false,
        resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: [name] }],
      }))
      tell({ event: 'config', value: resources[0].configEntries[0].configValue })
    },
  }

  tell({ event: 'ready' })
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [task, ...words] = line.split(' ')
    try {
      await tasks[task](...words)
      tell({ event: 'done' })
    } catch (e) {
      tell({ event: 'failed', why: String(e) })
    }
  }
  process.exit(0)
}
