import assert from 'node:assert/strict'
import { after, beforeEach, it } from 'node:test'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers, type Msg, type NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { type Context, trace } from '@opentelemetry/api'
import {
  type ContentMode,
  checkTransmission,
  cloudEventEnvelope,
  readEvent,
  writeEvent,
} from '@throughline/cloudevents'
import { startNatsServer } from '@throughline/nats-server'
import { extractFromMessage, traceNats } from './index.ts'
import { BrokerSpans } from './testing/broker-spans.ts'

const spans = new BrokerSpans()
const server = await startNatsServer({ jetstream: true, env: { PATH: process.env['PATH'] } })
const untraced = await connect({ servers: server.url })
const traced = traceNats(await connect({ servers: server.url }), { envelope: cloudEventEnvelope() })
after(async () => {
  await untraced.close()
  await traced.close()
  await server.stop()
})
beforeEach(() => {
  spans.ended = []
})

const modes: readonly ContentMode[] = ['binary', 'json', 'protobuf']
const started = { id: '1', source: '/s', type: 't', data: { a: 1 } }
const start = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`

function sendable(
  mode: ContentMode,
  extensions = {},
): { body: Uint8Array; headers: ReturnType<typeof headers> } {
  const written = writeEvent({ ...started, extensions }, mode, 'nats')
  const sent = headers()
  for (const [name, value] of written.headers) sent.append(name, value)
  return { body: written.body, headers: sent }
}

/** What a subscriber gets of the one message that `send` makes. */
async function received(subscriber: NatsConnection, subject: string, send: () => unknown): Promise<Msg> {
  const subscription = subscriber.subscribe(subject, { max: 1 })
  await subscriber.flush()
  await send()
  for await (const message of subscription) return message
  throw new Error('no message')
}

it('what is published has the span of the header in its envelope, in each mode, core, request and JetStream', async () => {
  const manager = await jetstreamManager(untraced)
  await manager.streams.add({ name: 'E', subjects: ['stored.>'] })
  const answering = untraced.subscribe('asked.>', { callback: (_error, message) => void message.respond() })
  await untraced.flush()
  for (const mode of modes) {
    const { body, headers: given } = sendable(mode)
    const before = [...given].length
    const ways: [string, () => unknown][] = [
      [`told.${mode}`, () => traced.publish(`told.${mode}`, body, { headers: given })],
      [`asked.${mode}`, () => traced.request(`asked.${mode}`, body, { headers: given, timeout: 10_000 })],
      [`stored.${mode}`, () => jetstream(traced).publish(`stored.${mode}`, body, { headers: given })],
    ]
    for (const [subject, send] of ways) {
      const message = await received(untraced, subject, send)
      const { event } = readEvent({ headers: message.headers, body: message.data }, 'nats')
      assert.ok(event !== undefined, subject)
      const sent = await spans.find(({ name }) => name.endsWith(subject))
      assert.equal(
        String(event.extensions?.['traceparent']).slice(3, 52),
        `${sent.traceId}-${sent.spanId}`,
        subject,
      )
      assert.deepEqual(checkTransmission({ event, headers: message.headers, hops: 'one' }), [], subject)
      assert.deepEqual(event.data, started.data)
    }
    assert.equal([...given].length, before, 'the user’s headers stay as they are')
  }
  answering.unsubscribe()
})

it('the envelope keeps the start of its transmission, and what is no event stays as it is', async () => {
  for (const mode of modes) {
    const { body, headers: given } = sendable(mode, { traceparent: start })
    const message = await received(untraced, `kept.${mode}`, () =>
      traced.publish(`kept.${mode}`, body, { headers: given }),
    )
    assert.equal(
      readEvent({ headers: message.headers, body: message.data }, 'nats').event?.extensions?.['traceparent'],
      start,
    )
    assert.notEqual(message.headers?.get('traceparent'), start)
  }
  for (const text of ['', 'text', '{"specversion":"1.0"}', '{"a":1.50}']) {
    const message = await received(untraced, 'plain', () => traced.publish('plain', text))
    assert.equal(message.string(), text)
    assert.deepEqual(message.headers?.keys(), ['traceparent'])
  }
})

it('a message without a valid header continues the trace of its envelope', async () => {
  for (const mode of modes) {
    for (const header of [undefined, 'broken']) {
      const { body, headers: given } = sendable(mode, { traceparent: start })
      if (header !== undefined) given.set('traceparent', header)
      const subject = `from.${mode}.${header}`
      const message = await received(traced, subject, () =>
        untraced.publish(subject, body, { headers: given }),
      )
      const span = await spans.find(({ name }) => name === `process ${subject}`)
      assert.deepEqual([span.traceId, span.parentId], ['a'.repeat(32), 'b'.repeat(16)], subject)
      assert.equal(trace.getSpanContext(extractFromMessage(message))?.spanId, 'b'.repeat(16))
    }
  }
  const { body, headers: given } = sendable('json', { traceparent: start })
  given.set('Traceparent', `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`)
  await received(traced, 'header', () => untraced.publish('header', body, { headers: given }))
  assert.equal((await spans.find(({ name }) => name === 'process header')).parentId, 'd'.repeat(16))
  await received(traced, 'nothing', () => untraced.publish('nothing', 'text'))
  assert.equal((await spans.find(({ name }) => name === 'process nothing')).parentId, undefined)
})

it('an envelope of a subject that is public starts a new trace with a link', async () => {
  const wary = traceNats(await connect({ servers: server.url }), {
    envelope: cloudEventEnvelope(),
    trust: 'restart-with-link',
  })
  const { body, headers: given } = sendable('json', { traceparent: start })
  await received(wary, 'public', () => untraced.publish('public', body, { headers: given }))
  const span = await spans.find(({ name }) => name === 'process public')
  assert.deepEqual([span.parentId, span.linkIds], [undefined, ['b'.repeat(16)]])
  assert.notEqual(span.traceId, 'a'.repeat(32))
  await wary.close()
})

it('without a context to carry the envelope is not looked at', async () => {
  let asked = 0
  const carrier = { inject: (): undefined => void asked++, extract: (base: Context) => base } as const
  const quiet = traceNats(await connect({ servers: server.url }), { envelope: carrier, rootSpans: false })
  await received(untraced, 'rootless', () => quiet.publish('rootless', 'text'))
  assert.equal(asked, 0)
  await trace.getTracer('test').startActiveSpan('root', async (root) => {
    await received(untraced, 'rooted', () => quiet.publish('rooted', 'text'))
    root.end()
  })
  assert.equal(asked, 1)
  await quiet.close()
})

it('a carrier that throws costs nobody a message', async () => {
  const failing = traceNats(await connect({ servers: server.url }), {
    envelope: {
      inject: () => {
        throw new Error('inject')
      },
      extract: () => {
        throw new Error('extract')
      },
    },
  })
  const message = await received(failing, 'failing', () => failing.publish('failing', 'text'))
  assert.equal(message.string(), 'text')
  assert.equal((await spans.find(({ name }) => name === 'process failing')).error, undefined)
  await failing.close()
})
