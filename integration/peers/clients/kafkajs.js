// A worker of packages story and report for KafkaJS.
// usage: node kafkajs.js ADDRESS TOPIC GROUP NAME
//        node kafkajs.js tasks ADDRESS
const { Kafka, logLevel } = require('kafkajs')
const doTasks = require('./kafkajs_tasks')

const forTasks = process.argv[2] === 'tasks'
const [address, topic, groupId, clientId] = forTasks ? [process.argv[3], '', 'none', 'tasks'] : process.argv.slice(2)
const tell = (event) => process.stdout.write(JSON.stringify(event) + '\n')

const kafka = new Kafka({
  clientId,
  brokers: [address],
  logLevel: logLevel.WARN,
  logCreator: () => ({ log }) => console.error(log.message, JSON.stringify(log)),
  retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 100 },
})
const consumer = kafka.consumer({
  groupId,
  sessionTimeout: 3000,
  heartbeatInterval: 300,
  rebalanceTimeout: 10000,
  maxWaitTimeInMs: 300,
  metadataMaxAge: 1000, // a topic that had no leader yet when the broker came back is not asked about before
})

// KafkaJS tells what it was given, not in which generation.
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  tell({ event: 'owns', generation: -1, partitions: payload.memberAssignment[topic] || [] })
})
consumer.on(consumer.events.COMMIT_OFFSETS, ({ payload }) => {
  for (const t of payload.topics) {
    for (const p of t.partitions) tell({ event: 'committed', partition: Number(p.partition), offset: Number(p.offset) })
  }
})

async function main() {
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommitThreshold: 1,
    eachMessage: async ({ partition, message }) => {
      tell({ event: 'record', partition, offset: Number(message.offset), value: message.value.toString() })
    },
  })
}

process.on('SIGTERM', () => {
  consumer.disconnect().then(() => process.exit(0), (e) => { console.error(e); process.exit(1) })
})
const work = forTasks ? doTasks(kafka, tell) : main()
work.catch((e) => { console.error(e); process.exit(1) })
