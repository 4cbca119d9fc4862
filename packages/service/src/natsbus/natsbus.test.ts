import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it, type TestContext } from 'node:test'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { type NatsConnection, headers as natsHeaders } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { type NatsServer, startNatsServer } from '@throughline/nats-server'
import type { ReadableSpan } from '@throughline/trace'
import { collectSpans, type TestSpans } from '../testing/spans.ts'
import { type BusDelivery, type BusHandler, type ConsumerOptions, startConsumer } from './consumer.ts'
import { type BusPublisher, createPublisher, noopPublisher } from './publisher.ts'
import {
  createReliablePublisher,
  type ReliabilityOptions,
  type ReliablePublisher,
} from './reliable-publisher.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const otherTraceId = 'ffffffffffffffffffffffffffffffff'
const parentOf = (id: string): string => `00-${id}-b7ad6b7169203331-01`

let server: NatsServer
let connection: NatsConnection
let spans: TestSpans
let publisher: BusPublisher
/** Of this test alone. */
let subject = ''
let testIndex = 0

before(async () => {
  spans = collectSpans()
  server = await startNatsServer({ jetstream: true })
  connection = await connect({ servers: server.url })
  const manager = await jetstreamManager(connection)
  await manager.streams.add({ name: 'EVENTS', subjects: ['events.>'] })
  publisher = await createPublisher({ servers: server.url, source: 'test' })
})
after(async () => {
  await publisher.close()
  await connection.close()
  await server.stop()
  spans.unregister()
})
beforeEach(() => {
  subject = `events.t${++testIndex}`
  spans.ended.length = 0
})

interface Inbox {
  /** The next delivery that was dealt with. */
  next(): Promise<BusDelivery>
  readonly durable: string
}

/** A consumer of this test's subject. */
async function consumer(
  t: TestContext,
  handler: BusHandler = () => {},
  changes: Partial<ConsumerOptions> = {},
): Promise<Inbox> {
  const handled = new EventEmitter()
  const waiting: BusDelivery[] = []
  const durable = `durable-${testIndex}`
  const bus = await startConsumer({
    servers: server.url,
    stream: 'EVENTS',
    subject: `${subject}.>`,
    durable,
    nakDelayMs: 1,
    handler: async (delivery) => {
      try {
        await handler(delivery)
      } finally {
        waiting.push(delivery)
        handled.emit('one')
      }
    },
    ...changes,
  })
  t.after(() => bus.stop())
  return {
    durable,
    next: async () => {
      while (waiting.length === 0) await once(handled, 'one')
      return waiting.shift() as BusDelivery // Nobody else takes from it.
    },
  }
}

/** Spans end after the handler: waits until so many of this name have. */
async function spansNamed(name: string, count: number): Promise<readonly ReadableSpan[]> {
  for (;;) {
    const found = spans.ended.filter((span) => span.name === name)
    if (found.length >= count) return found
    await new Promise(setImmediate)
  }
}

async function sendRaw(body: string, fields: Record<string, string> = {}): Promise<void> {
  const headers = natsHeaders()
  for (const [name, value] of Object.entries(fields)) headers.set(name, value)
  await jetstream(connection).publish(`${subject}.raw`, body, { headers })
}

function jsonEvent(fields: object = {}): string {
  return JSON.stringify({ specversion: '1.0', id: '1', type: 't', source: 's', data: 7, ...fields })
}

describe('one trace through the bus', () => {
  it('the processing is a child of the publishing, linked to it, and active in the handler', async (t) => {
    let active = ''
    const inbox = await consumer(t, () => {
      active = trace.getActiveSpan()?.spanContext().spanId ?? ''
    })
    const published = await trace.getTracer('test').startActiveSpan('request', async (span) => {
      const done = await publisher.publish({
        subject: `${subject}.deal`,
        tenantId: 'org-1',
        data: { amount: 7 },
      })
      span.end()
      return done
    })
    const delivery = await inbox.next()
    const [processing] = await spansNamed('nats.process', 1)
    const publishing = spans.ended.find(({ name }) => name === 'nats.publish')
    const request = spans.ended.find(({ name }) => name === 'request')

    assert.equal(publishing?.kind, SpanKind.PRODUCER)
    assert.equal(publishing.parentSpanContext?.spanId, request?.spanContext().spanId)
    assert.deepEqual(publishing.attributes, {
      'messaging.system': 'nats',
      'messaging.destination': `${subject}.deal`,
      'messaging.destination.name': `${subject}.deal`,
      'messaging.operation.name': 'publish',
      'messaging.operation.type': 'send',
      'messaging.message.id': published.id,
    })
    const { spanId } = publishing.spanContext()
    assert.equal(processing?.kind, SpanKind.CONSUMER)
    assert.equal(processing.parentSpanContext?.spanId, spanId)
    assert.deepEqual(
      processing.links.map(({ context }) => context.spanId),
      [spanId],
    )
    assert.equal(processing.spanContext().spanId, active)
    assert.deepEqual(processing.attributes, {
      'messaging.system': 'nats',
      'messaging.destination': `${subject}.deal`,
      'messaging.destination.name': `${subject}.deal`,
      'messaging.destination.template': `${subject}.>`,
      'messaging.destination.subscription.name': inbox.durable,
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.nats.message.delivery_count': 1,
      'messaging.message.id': published.id,
    })
    // On a single hop the envelope and the header name the same span.
    assert.match(String(delivery.event?.traceparent), new RegExp(spanId))
    assert.equal(delivery.headers?.get('traceparent'), delivery.event?.traceparent)
    assert.deepEqual(delivery.event?.data, { amount: 7 })
    assert.equal(delivery.event.tenantId, 'org-1')
    assert.equal(delivery.event.type, `${subject}.deal`)
  })

  const contexts: [string, Record<string, string>, object, string | undefined][] = [
    [
      'the header goes before the envelope',
      { traceparent: parentOf(traceId) },
      { traceparent: parentOf(otherTraceId) },
      traceId,
    ],
    ['a header in the case of Go is a header', { Traceparent: parentOf(traceId) }, {}, traceId],
    ['without a header the envelope counts', {}, { traceparent: parentOf(traceId) }, traceId],
    [
      'a malformed header leaves it to the envelope',
      { traceparent: '00-x' },
      { traceparent: parentOf(traceId) },
      traceId,
    ],
    ['neither: a new trace', {}, {}, undefined],
    ['both malformed: a new trace', { traceparent: '00-x' }, { traceparent: '00-y' }, undefined],
  ]
  for (const [title, headers, fields, expected] of contexts)
    it(title, async (t) => {
      const inbox = await consumer(t)
      await sendRaw(jsonEvent(fields), headers)
      const { event } = await inbox.next()
      assert.equal(event?.data, 7)
      const [processing] = await spansNamed('nats.process', 1)
      if (expected === undefined) {
        assert.equal(processing?.parentSpanContext, undefined)
        assert.equal(processing?.links.length, 0)
      } else {
        assert.equal(processing?.spanContext().traceId, expected)
        assert.equal(processing.links.length, 1)
      }
    })

  it('what is no event reaches the handler, which decides', async (t) => {
    const inbox = await consumer(t)
    await sendRaw('{"specversion":', { traceparent: parentOf(traceId) })
    const { event, error, payload } = await inbox.next()
    assert.equal(event, undefined)
    assert.match(String(error), /JSON/)
    assert.equal(Buffer.from(payload).toString(), '{"specversion":')
    const [processing] = await spansNamed('nats.process', 1)
    assert.equal(processing?.spanContext().traceId, traceId)
  })

  it('a publish that fails ends its span with the error', async () => {
    await assert.rejects(publisher.publish({ subject: 'nowhere', tenantId: 't', data: 1 }), {
      code: 'publish_failed',
    })
    const [publishing] = await spansNamed('nats.publish', 1)
    assert.equal(publishing?.status.code, SpanStatusCode.ERROR)
    assert.equal(publishing.events[0]?.name, 'exception')
  })

  it('the same id is in the stream once', async () => {
    const message = { subject: `${subject}.x`, tenantId: 't', data: 1, id: `id-${testIndex}` }
    assert.equal((await publisher.publish(message)).isDuplicate, false)
    assert.equal((await publisher.publish(message)).isDuplicate, true)
  })
})

describe('a handler that throws', () => {
  it('gets the message again, in a span of its own each time, with the count', async (t) => {
    const inbox = await consumer(t, ({ deliveryCount }) => {
      if (deliveryCount < 3) throw new RangeError('not yet')
    })
    await publisher.publish({ subject: `${subject}.x`, tenantId: 't', data: 1 })
    for (const count of [1, 2, 3]) assert.equal((await inbox.next()).deliveryCount, count)
    const attempts = await spansNamed('nats.process', 3)
    const [publishing] = await spansNamed('nats.publish', 1)
    assert.deepEqual(
      attempts.map(({ status, attributes, links }) => [
        status.code,
        attributes['messaging.nats.message.delivery_count'],
        attributes['error.type'],
        links[0]?.context.spanId,
      ]),
      [
        [SpanStatusCode.ERROR, 1, 'RangeError', publishing?.spanContext().spanId],
        [SpanStatusCode.ERROR, 2, 'RangeError', publishing?.spanContext().spanId],
        [SpanStatusCode.UNSET, 3, undefined, publishing?.spanContext().spanId],
      ],
    )
  })

  it('and throws each time: the message goes to the dead letter subject with its headers, and comes no more', async (t) => {
    const dlqSubject = `events.dlq${testIndex}`
    const dlq = await startDlqReader(t, dlqSubject)
    const inbox = await consumer(
      t,
      () => {
        throw new Error('never')
      },
      { deliveriesMax: 2, dlqSubject },
    )
    await sendRaw(jsonEvent(), { traceparent: parentOf(traceId), 'Nats-Expected-Stream': 'EVENTS' })
    await inbox.next()
    await inbox.next()
    const letter = await dlq.first
    assert.equal(letter.headers?.get('traceparent'), parentOf(traceId))
    assert.equal(letter.headers.get('Dlq-Subject'), `${subject}.raw`)
    assert.equal(letter.headers.get('Dlq-Error'), 'never')
    assert.equal(letter.headers.get('Nats-Expected-Stream'), '')
    await spansNamed('nats.process', 2)
    const manager = await jetstreamManager(connection)
    for (;;) {
      const { num_pending, num_ack_pending } = await manager.consumers.info('EVENTS', inbox.durable)
      if (num_pending === 0 && num_ack_pending === 0) break
    }
    const handled = spans.ended.filter(
      ({ attributes }) => attributes['messaging.destination'] === `${subject}.raw`,
    )
    assert.equal(handled.length, 2)
  })
})

/** The first message of a dead letter subject. */
async function startDlqReader(
  t: TestContext,
  dlqSubject: string,
): Promise<{ readonly first: Promise<BusDelivery> }> {
  const emitter = new EventEmitter()
  const first = once(emitter, 'letter').then(([delivery]) => delivery as BusDelivery)
  const bus = await startConsumer({
    servers: server.url,
    stream: 'EVENTS',
    subject: dlqSubject,
    durable: `dlq-${testIndex}`,
    handler: (delivery) => void emitter.emit('letter', delivery),
  })
  t.after(() => bus.stop())
  return { first }
}

describe('several at once', () => {
  it('as many handlers run as the option says, and stop waits for them', async () => {
    let runningMax = 0
    const running = new Set<() => void>()
    const full = new EventEmitter()
    const bus = await startConsumer({
      servers: server.url,
      stream: 'EVENTS',
      subject: `${subject}.>`,
      durable: `durable-${testIndex}`,
      concurrencyMax: 3,
      handler: () =>
        new Promise<void>((resolve) => {
          running.add(resolve)
          runningMax = Math.max(runningMax, running.size)
          if (running.size === 3) full.emit('full')
        }),
    })
    const isFull = once(full, 'full')
    for (let index = 0; index < 5; index++)
      await publisher.publish({ subject: `${subject}.${index}`, tenantId: 't', data: index })
    await isFull
    let isStopped = false
    const stopped = bus.stop().then(() => {
      isStopped = true
    })
    await connection.flush()
    assert.equal(isStopped, false)
    for (const done of running) done()
    await stopped
    assert.equal(runningMax, 3)
  })
})

/** No stream has its subject yet. */
const message = (): { subject: string; tenantId: string; data: unknown } => ({
  subject: `later.t${testIndex}`,
  tenantId: 'org-1',
  data: 7,
})

describe('a publisher that keeps what it cannot publish', () => {
  let dir: string
  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'dead-letters-'))
  })
  after(() => rm(dir, { recursive: true }))

  async function reliable(
    t: TestContext,
    changes: Partial<ReliabilityOptions> = {},
  ): Promise<ReliablePublisher> {
    const made = await createReliablePublisher({
      servers: server.url,
      source: 'test',
      deadLetterDir: join(dir, String(testIndex)),
      initialDelayMs: 1,
      delayMsMax: 1,
      replayIntervalMs: 0,
      ...changes,
    })
    t.after(() => made.close())
    return made
  }

  it('tells each attempt on the span, writes the message down whole, and publishes it later in its own trace', async (t) => {
    const bus = await reliable(t)
    await assert.rejects(bus.publish({ ...message(), id: 'a/../b' }), { code: 'dead_lettered' })
    const [publishing] = await spansNamed('nats.publish', 1)
    assert.equal(publishing?.status.code, SpanStatusCode.ERROR)
    assert.deepEqual(
      publishing.events
        .filter(({ name }) => name === 'publish_attempt_failed')
        .map(({ attributes }) => attributes?.['attempt']),
      [1, 2, 3],
    )
    const folder = join(dir, String(testIndex))
    const [name = ''] = await readdir(folder)
    assert.match(name, /^\d{8}T\d{9}Z-a____b\.json$/)
    const letter = JSON.parse(await readFile(join(folder, name), 'utf8'))
    assert.equal(letter.subject, message().subject)
    assert.equal(JSON.parse(Buffer.from(letter.data, 'base64').toString()).data, 7)
    assert.match(letter.header.traceparent[0], new RegExp(publishing.spanContext().spanId))

    assert.equal(await bus.replay(), 0)
    const manager = await jetstreamManager(connection)
    await manager.streams.add({ name: `LATER${testIndex}`, subjects: [message().subject] })
    assert.equal(await bus.replay(), 1)
    assert.deepEqual(await readdir(folder), [])
    const stored = await manager.streams.getMessage(`LATER${testIndex}`, { seq: 1 })
    assert.match(String(stored?.header.get('traceparent')), new RegExp(publishing.spanContext().spanId))
    assert.equal(stored?.header.get('Nats-Msg-Id'), 'a/../b')
  })

  it('publishes the oldest first, ten at most, and stops at the first that fails; strange files stay', async (t) => {
    const bus = await reliable(t, { breakerFailures: 1_000 })
    for (let index = 0; index < 12; index++)
      await assert.rejects(bus.publish({ ...message(), id: String(index) }), { code: 'dead_lettered' })
    const folder = join(dir, String(testIndex))
    const names = await readdir(folder)
    const manager = await jetstreamManager(connection)
    await manager.streams.add({ name: `LATER${testIndex}`, subjects: [message().subject] })
    await writeFile(join(folder, '0-no-letter.json'), '{"subject":')
    assert.equal(await bus.replay(), 9)
    assert.deepEqual((await readdir(folder)).toSorted(), ['0-no-letter.json', ...names.toSorted().slice(9)])
    assert.equal(await bus.replay(), 3)
    assert.equal((await manager.streams.info(`LATER${testIndex}`)).state.messages, 12)
  })

  it('after failures in a row it does not try any more for a while', async (t) => {
    const bus = await reliable(t, { attemptsMax: 1, breakerFailures: 2 })
    for (let index = 0; index < 3; index++)
      await assert.rejects(bus.publish(message()), { code: 'dead_lettered' })
    const failed = await spansNamed('nats.publish', 3)
    assert.match(String(failed[2]?.events[0]?.attributes?.['error']), /circuit/i)
  })

  it('a full folder is the end: the message is refused, and both troubles are told', async (t) => {
    const bus = await reliable(t, { deadLettersMax: 1 })
    await assert.rejects(bus.publish(message()), { code: 'dead_lettered' })
    await assert.rejects(bus.publish(message()), {
      code: 'publish_failed',
      message: /and not kept: .* limit of 1 messages/,
    })
  })
})

describe('options', () => {
  it('that are missing are named', async () => {
    const options = {
      servers: server.url,
      stream: 'EVENTS',
      subject: 'events.x',
      durable: 'd',
      handler: () => {},
    }
    for (const name of ['servers', 'stream', 'subject', 'durable'])
      await assert.rejects(startConsumer({ ...options, [name]: '' }), {
        code: 'invalid_option',
        message: new RegExp(name),
      })
    await assert.rejects(startConsumer({ ...options, stream: 'NONE' }), /stream not found/)
  })

  it('without NATS a publisher publishes nothing', async () => {
    const nowhere = noopPublisher()
    assert.equal((await nowhere.publish({ subject: 'x', tenantId: 't', data: 1 })).stream, '')
    await nowhere.close()
  })
})
