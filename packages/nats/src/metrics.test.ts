import assert from 'node:assert/strict'
import { after, before, beforeEach, it } from 'node:test'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { type Attributes, createNoopMeter, type Meter, type MeterProvider } from '@opentelemetry/api'
import { type NatsServer, startNatsServer } from '@throughline/nats-server'
import { traceNats } from './index.ts'

interface Recorded {
  readonly name: string
  readonly value: number
  readonly attributes: Attributes
}

// The API's interface alone: no SDK of metrics is needed to see what is recorded.
let recorded: Recorded[] = []
const units = new Map<string, string | undefined>()
const meter: Meter = Object.assign(Object.create(createNoopMeter()) as Meter, {
  createHistogram(name: string, options: { unit?: string }) {
    units.set(name, options.unit)
    return {
      record: (value: number, attributes: Attributes) => void recorded.push({ name, value, attributes }),
    }
  },
  createCounter(name: string, options: { unit?: string }) {
    units.set(name, options.unit)
    return { add: (value: number, attributes: Attributes) => void recorded.push({ name, value, attributes }) }
  },
})
const meterProvider: MeterProvider = { getMeter: () => meter }

let server: NatsServer
let nc: NatsConnection
before(async () => {
  server = await startNatsServer({ env: { PATH: process.env['PATH'] } })
  nc = traceNats(await connect({ servers: server.url }), { meterProvider })
})
beforeEach(() => {
  recorded = []
})
after(async () => {
  await nc.close()
  await server.stop()
})

function of(name: string): readonly Recorded[] {
  return recorded.filter((one) => one.name === name)
}

// No tracer is registered in this process: metrics do not need one.
it('counts and times what is sent, delivered and processed, by the names of the conventions', async () => {
  nc.subscribe('m.*', {
    queue: 'q',
    callback: (_, message) => {
      message.respond('x')
      if (message.string() === 'bad') throw new RangeError('no')
    },
  })
  await nc.request('m.1', 'good')
  const common = { 'messaging.system': 'nats', 'server.address': '127.0.0.1', 'server.port': server.port }
  const request = {
    ...common,
    'messaging.destination.template': 'm.{id}',
    'messaging.operation.name': 'request',
    'messaging.operation.type': 'send',
  }
  const respond = {
    ...common,
    'messaging.destination.name': '_INBOX.*',
    'messaging.operation.name': 'publish',
    'messaging.operation.type': 'send',
  }
  const process = {
    ...common,
    'messaging.destination.template': 'm.*',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.consumer.group.name': 'q',
  }
  const sent = of('messaging.client.sent.messages')
  assert.deepEqual(
    sent.map((one) => [one.value, one.attributes]),
    [
      [1, respond],
      [1, request],
    ],
  )
  const durations = of('messaging.client.operation.duration')
  assert.deepEqual(
    durations.map((one) => one.attributes),
    [respond, request],
  )
  assert.deepEqual(
    of('messaging.client.consumed.messages').map((one) => [one.value, one.attributes]),
    [[1, process]],
  )
  assert.deepEqual(
    of('messaging.process.duration').map((one) => one.attributes),
    [process],
  )
  for (const { value } of [...durations, ...of('messaging.process.duration')])
    assert.ok(value >= 0 && value < 60)
  assert.deepEqual(Object.fromEntries(units), {
    'messaging.client.operation.duration': 's',
    'messaging.process.duration': 's',
    'messaging.client.sent.messages': '{message}',
    'messaging.client.consumed.messages': '{message}',
  })
})

it('failures carry their error.type; a loop counts each message once', async () => {
  await assert.rejects(nc.request('nobody', ''), { name: 'RequestError' })
  assert.equal(of('messaging.client.operation.duration')[0]?.attributes['error.type'], 'RequestError')
  const subscription = nc.subscribe('loop')
  for (const text of ['1', '2', '3']) nc.publish('loop', text)
  let left = 2
  for await (const _ of subscription) {
    left--
    if (left === 0) break
  }
  assert.equal(of('messaging.client.consumed.messages').length, 2)
  assert.equal(of('messaging.process.duration').length, 2)
})
