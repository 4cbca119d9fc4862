// A program on NATS whose throughput is measured: requests that it answers itself, and a JetStream consume loop with acks,
// 1 KiB each. It loads the client by require, so that every instrumentation finds its hook. `traceNats` is used where a
// set-up file has put it; any other tracing finds the client by itself.
import { createRequire } from 'node:module'
import type * as JetStream from '@nats-io/jetstream'
import type * as Nats from '@nats-io/transport-node'
import type { NatsRequest, NatsResult } from './messages.ts'

const require = createRequire(import.meta.url)
const { connect } = require('@nats-io/transport-node') as typeof Nats
const { jetstream, jetstreamManager } = require('@nats-io/jetstream') as typeof JetStream

interface BenchGlobal {
  traceNats?: (connection: Nats.NatsConnection) => Nats.NatsConnection
}

const payload = new Uint8Array(1024)
const inFlight = 32
const streamMessages = 10_000
const name = `bench-${process.pid}`

const bare = await connect({ servers: process.env['BENCH_NATS_URL'] ?? '' })
const nc = (globalThis as BenchGlobal).traceNats?.(bare) ?? bare
const js = jetstream(nc)
const manager = await jetstreamManager(bare)

nc.subscribe(`${name}.echo`, { callback: (_, message) => void message.respond(message.data) })
await manager.streams.add({
  name,
  subjects: [`${name}.stream`],
  storage: 'memory',
})
for (let sent = 0; sent < streamMessages; sent += 100) {
  await Promise.all(Array.from({ length: 100 }, () => js.publish(`${name}.stream`, payload)))
}

/** As many requests at once as there are slots, each slot asking again as soon as it has its answer. */
async function request(untilMs: number): Promise<number> {
  let count = 0
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < untilMs) {
        await nc.request(`${name}.echo`, payload, { timeout: 10_000 })
        count++
      }
    }),
  )
  return count
}

/** Reads the stream from its beginning, again and again. */
async function consume(untilMs: number): Promise<number> {
  let count = 0
  while (performance.now() < untilMs) {
    const { name: consumerName } = await manager.consumers.add(name, {
      ack_policy: 'explicit',
      max_ack_pending: -1,
    })
    const consumer = await js.consumers.get(name, consumerName)
    let left = streamMessages
    for await (const message of await consumer.consume({ max_messages: 1_000 })) {
      message.ack()
      count++
      left--
      if (left === 0 || performance.now() >= untilMs) break
    }
    await manager.consumers.delete(name, consumerName)
  }
  return count
}

async function run({ scenario, durationMs }: NatsRequest): Promise<NatsResult> {
  const start = performance.now()
  const cpu = process.cpuUsage()
  const count = await (scenario === 'request' ? request : consume)(start + durationMs)
  const { user, system } = process.cpuUsage(cpu)
  return { count, durationMs: performance.now() - start, cpuMs: (user + system) / 1_000 }
}

process.on('message', (message: NatsRequest) => {
  void run(message).then((result) => process.send?.(result))
})
process.send?.('ready')
