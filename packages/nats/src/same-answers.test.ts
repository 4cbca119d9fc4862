import assert from 'node:assert/strict'
import { after, it } from 'node:test'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers, type Msg, type NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { cloudEventEnvelope } from '@throughline/cloudevents'
import { startNatsServer } from '@throughline/nats-server'
import { traceNats } from './index.ts'
import { BrokerSpans } from './testing/broker-spans.ts'

// What the client's own test suite found: the same answers with and without tracing.

const spans = new BrokerSpans()
const server = await startNatsServer({ jetstream: true, env: { PATH: process.env['PATH'] } })
const untraced = await connect({ servers: server.url })
const traced = traceNats(await connect({ servers: server.url }), { envelope: cloudEventEnvelope() })
after(async () => {
  await untraced.close()
  await traced.close()
  await server.stop()
})

async function received(subject: string, send: () => unknown): Promise<Msg> {
  const subscription = untraced.subscribe(subject, { max: 1 })
  await untraced.flush()
  await send()
  for await (const message of subscription) return message
  throw new Error('no message')
}

/** What goes wrong, or nothing. */
async function outcome(run: () => unknown): Promise<unknown> {
  try {
    await run()
    return 'fine'
  } catch (error) {
    return error instanceof Error ? [error.name, error.message] : error
  }
}

it('a subject that is none gets the client’s own answer', async () => {
  for (const subject of ['', undefined, null, 7, 'a b'] as string[]) {
    const calls: ((connection: NatsConnection) => unknown)[] = [
      (connection) => connection.publish(subject),
      (connection) => connection.request(subject, '', { timeout: 50 }),
      (connection) => connection.requestMany(subject, '', { maxWait: 50 }),
      (connection) => connection.subscribe(subject),
      (connection) => jetstream(connection).publish(subject, '', { timeout: 50 }),
    ]
    for (const [index, call] of calls.entries()) {
      const own = await outcome(() => call(untraced))
      assert.deepEqual(await outcome(() => call(traced)), own, `${subject} ${index}`)
    }
  }
})

it('a message as large as the server takes goes, without context where there is no room for it', async () => {
  const sizeMax = untraced.info?.max_payload ?? 0
  const manager = await jetstreamManager(untraced)
  await manager.streams.add({ name: 'L', subjects: ['large.stored'] })
  const full = new Uint8Array(sizeMax)
  const message = await received('large.told', () => traced.publish('large.told', full))
  assert.deepEqual([message.data.length, message.headers], [sizeMax, undefined])
  const span = await spans.find(({ name }) => name === 'publish large.told')
  assert.equal(span.error, undefined)
  const roomy = await received('large.told', () => traced.publish('large.told', full.subarray(2_000)))
  assert.deepEqual(roomy.headers?.keys(), ['traceparent'])
  assert.throws(() => traced.publish('large.told', new Uint8Array(sizeMax + 1)), {
    name: 'InvalidArgumentError',
  })
  for (const connection of [untraced, traced]) {
    await jetstream(connection).publish('large.stored', full.subarray(0, sizeMax - 100), {
      msgID: connection === traced ? 'a' : 'b',
    })
  }
  const event = `{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"`
  const large = `${event}${'x'.repeat(sizeMax - event.length - 2 - 150)}"}`
  const carried = await received('large.event', () => traced.publish('large.event', large))
  assert.equal(carried.data.length, large.length, 'the envelope has no room either')
})

it('where the header has room and the envelope has not, the header goes alone', async () => {
  const sizeMax = untraced.info?.max_payload ?? 0
  // The header takes 70 bytes, the attribute 73, and 1,024 are kept free.
  const room = 1_024 + 80
  const start = '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":"'
  const json = `${start}${'x'.repeat(sizeMax - room - start.length - 2)}"}`
  const structured = await received('room.json', () => traced.publish('room.json', json))
  assert.deepEqual([structured.data.length, structured.headers?.keys()], [json.length, ['traceparent']])
  const event = headers()
  for (const [name, value] of Object.entries({ specversion: '1.0', id: '1', source: '/s', type: 't' }))
    event.set(`ce-${name}`, value)
  const sizeBytes = [...event].reduce(
    (size, [name, [value = '']]) => size + name.length + value.length + 4,
    0,
  )
  const body = new Uint8Array(sizeMax - room - sizeBytes)
  const binary = await received('room.binary', () => traced.publish('room.binary', body, { headers: event }))
  assert.deepEqual(binary.headers?.keys(), [...event.keys(), 'traceparent'])
})

it('a status line that the user has set in headers arrives', async () => {
  const message = await received('status', () =>
    traced.publish('status', '', { headers: headers(500, 'custom status') }),
  )
  assert.deepEqual([message.headers?.code, message.headers?.description], [500, 'custom status'])
  assert.ok(message.headers?.has('traceparent'))
})

it('`await using` takes the connection', async () => {
  const connection = traceNats(await connect({ servers: server.url }))
  const dispose = (connection as unknown as Record<symbol, unknown>)[Symbol.asyncDispose]
  assert.ok(typeof dispose === 'function')
  // V8 refuses bound functions there (Node 24).
  assert.doesNotMatch(dispose.name, /^bound /)
  await Reflect.apply(dispose, connection, [])
  assert.ok(connection.isClosed())
})
