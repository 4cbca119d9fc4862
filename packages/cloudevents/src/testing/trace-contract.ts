import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { beforeEach, test } from 'node:test'
import { context, propagation, trace } from '@opentelemetry/api'
import {
  type CloudEvent,
  type ContentMode,
  checkTransmission,
  cloudEventEnvelope,
  processEvent,
  readEvent,
  sendEvent,
  type WrittenMessage,
} from '../index.ts'
import { bytesOf, fullEvent, plain, spanId, textOf, traceId, traceparent } from './events.ts'
import type { SpanView } from './spans.ts'

function sent(event: CloudEvent, mode: ContentMode): WrittenMessage {
  return sendEvent(event, { binding: 'nats', mode }, (message) => message)
}

function extensionsOf(message: WrittenMessage): Readonly<Record<string, unknown>> {
  return { ...readEvent(message, 'nats').event?.extensions }
}

function below(): boolean {
  return trace.getTracer('http').startSpan('below').isRecording()
}

/** What must hold under every tracer; `spans` gets those that have ended. */
export function traceContract(spans: SpanView[]): void {
  beforeEach(() => void spans.splice(0))

  const modes: readonly ContentMode[] = ['binary', 'json', 'protobuf']

  function named(name: string): SpanView {
    const [found, ...more] = spans.filter((span) => span.name === name)
    assert.ok(
      found !== undefined && more.length === 0,
      `${name} among ${spans.map((span) => span.name).join()}`,
    )
    return found
  }

  test('sendEvent: a PRODUCER span, whose context is in the header and the same in the envelope', () => {
    for (const mode of modes) {
      spans.splice(0)
      const message = trace.getTracer('t').startActiveSpan('root', (root) => {
        const written = sent(fullEvent, mode)
        root.end()
        return written
      })
      const span = named('CloudEvents Create com.example.someevent')
      assert.deepEqual([span.kind, span.parentId, span.linkIds], ['PRODUCER', named('root').spanId, []])
      assert.deepEqual(span.attributes, {
        'cloudevents.event_id': 'A234-1234-1234',
        'cloudevents.event_source': '/mycontext/4',
        'cloudevents.event_spec_version': '1.0',
        'cloudevents.event_type': 'com.example.someevent',
        'cloudevents.event_subject': 'partnerid/5:clientid/100',
      })
      const expected = `00-${span.traceId}-${span.spanId}`
      const inHeader = Object.fromEntries(message.headers)['traceparent']
      assert.equal(inHeader?.slice(0, 52), expected)
      assert.deepEqual(extensionsOf(message), { ...fullEvent.extensions, traceparent: inHeader })
      const { event } = readEvent(message, 'nats')
      assert.ok(event !== undefined)
      assert.deepEqual(checkTransmission({ event, headers: message.headers, hops: 'one' }), [])
    }
  })

  test('sendEvent: the start of the transmission is not rewritten by a later hop, which is linked to it', () => {
    const started = { ...fullEvent, extensions: { traceparent, tracestate: 'a=1' } }
    for (const mode of modes) {
      spans.splice(0)
      const message = sent(started, mode)
      assert.deepEqual(extensionsOf(message), started.extensions)
      const span = named('CloudEvents Create com.example.someevent')
      assert.notEqual(span.traceId, traceId)
      assert.deepEqual(span.linkIds, [spanId])
      assert.equal(Object.fromEntries(message.headers)['traceparent']?.slice(3, 35), span.traceId)
      const { event } = readEvent(message, 'nats')
      assert.ok(event !== undefined)
      assert.deepEqual(
        checkTransmission({ event, headers: message.headers, hops: 'many', sent: started }),
        [],
      )
    }
  })

  test('sendEvent: a tracestate that has lost its traceparent goes with it', () => {
    const message = sent({ ...fullEvent, extensions: { tracestate: 'a=1' } }, 'json')
    assert.deepEqual(Object.keys(extensionsOf(message)), ['traceparent'])
  })

  test('sendEvent: results, errors and promises are those of send; the span ends with them', async () => {
    const options = { binding: 'http', typeTemplate: () => 'some', attributes: { mine: 1 } } as const
    assert.equal(
      sendEvent(fullEvent, options, () => 7),
      7,
    )
    assert.equal(spans.length, 1)
    const failure = new RangeError('no')
    assert.throws(
      () =>
        sendEvent(fullEvent, options, () => {
          throw failure
        }),
      failure,
    )
    const gate = new EventEmitter()
    const sending = sendEvent(fullEvent, options, () => once(gate, 'open').then(() => 'ok'))
    assert.equal(spans.length, 2)
    gate.emit('open')
    assert.equal(await sending, 'ok')
    await assert.rejects(
      sendEvent(fullEvent, options, () => Promise.reject(failure)),
      failure,
    )
    assert.deepEqual(
      spans.map(({ name, error, attributes }) => [name, error, attributes['error.type'], attributes['mine']]),
      [
        ['CloudEvents Create some', undefined, undefined, 1],
        ['CloudEvents Create some', 'no', 'RangeError', 1],
        ['CloudEvents Create some', undefined, undefined, 1],
        ['CloudEvents Create some', 'no', 'RangeError', 1],
      ],
    )
    assert.throws(() => sendEvent({ ...fullEvent, id: '' }, options, () => 1), { code: 'invalid_attribute' })
    assert.equal(spans.length, 5)
  })

  test('sendEvent: instrumentation below makes no span that would move the header on, unless it is wanted', () => {
    assert.equal(sendEvent(fullEvent, { binding: 'http' }, below), false)
    assert.equal(sendEvent(fullEvent, { binding: 'http', transportSpan: true }, below), true)
  })

  function process(
    headers: Record<string, string>,
    extensions: CloudEvent['extensions'],
    options = {},
  ): SpanView {
    spans.splice(0)
    const body = bytesOf(
      JSON.stringify({ specversion: '1.0', id: '1', source: '/s', type: 't', ...extensions }),
    )
    processEvent({ headers, body }, { binding: 'nats', ...options }, () =>
      trace.getTracer('t').startSpan('inside').end(),
    )
    const span = named('CloudEvents Process t')
    assert.equal(named('inside').parentId, span.spanId)
    assert.equal(span.kind, 'CONSUMER')
    return span
  }

  const hopId = '2'.repeat(16)
  const hop = `00-${traceId}-${hopId}-01`

  test('processEvent: child of the header, else of the envelope, else a new trace; start and hop are linked', () => {
    const both = process({ TraceParent: hop }, { traceparent })
    assert.deepEqual([both.traceId, both.parentId, both.linkIds], [traceId, hopId, [hopId, spanId]])
    const same = process({ traceparent }, { traceparent })
    assert.deepEqual([same.parentId, same.linkIds], [spanId, [spanId]])
    const envelope = process({ traceparent: 'broken' }, { traceparent })
    assert.deepEqual([envelope.traceId, envelope.parentId, envelope.linkIds], [traceId, spanId, [spanId]])
    const none = process({}, {})
    assert.deepEqual([none.parentId, none.linkIds], [undefined, []])
    assert.notEqual(none.traceId, traceId)
  })

  test('processEvent: forged context on a public subject starts a new trace with links', () => {
    const span = process({ traceparent: hop }, { traceparent }, { trust: 'restart-with-link' })
    assert.deepEqual([span.parentId, span.linkIds], [undefined, [hopId, spanId]])
    assert.notEqual(span.traceId, traceId)
  })

  test('processEvent: below the span with which the transport has continued the trace, and below no other', () => {
    trace.getTracer('t').startActiveSpan('unrelated', (unrelated) => {
      assert.equal(process({ traceparent: hop }, {}).parentId, hopId)
      unrelated.end()
    })
    const remote = propagation.extract(context.active(), { traceparent: hop })
    trace.getTracer('t').startActiveSpan('server', {}, remote, (server) => {
      const span = process({ traceparent: hop }, { traceparent })
      assert.deepEqual([span.parentId, span.linkIds], [server.spanContext().spanId, [hopId, spanId]])
      server.end()
    })
  })

  test('processEvent: what is no event reaches the handler as an error, in a span that says so', () => {
    const result = processEvent(
      { headers: { traceparent }, body: bytesOf('{"no":"event"}') },
      { binding: 'nats' },
      (read) => read,
    )
    assert.equal(result.error?.code, 'missing_attribute')
    const span = named('CloudEvents Process')
    assert.deepEqual(
      [span.parentId, span.error, span.attributes],
      [spanId, 'specversion is missing', { 'error.type': 'missing_attribute' }],
    )
  })

  test('the carrier for NATS puts the context into the bytes as they are, once', () => {
    const carrier = cloudEventEnvelope()
    const active = propagation.extract(context.active(), { traceparent, tracestate: 'a=1' })
    const json = {
      headers: undefined,
      payload: bytesOf(' { "specversion":"1.0", "id":"1","source":"/s","type":"t","data":1.50}'),
    }
    const added = carrier.inject(active, json)
    assert.equal(
      textOf(added?.payload ?? new Uint8Array()),
      ` {"traceparent":"${traceparent}","tracestate":"a=1", "specversion":"1.0", "id":"1","source":"/s","type":"t","data":1.50}`,
    )
    assert.equal(added?.headers, undefined)
    assert.equal(
      carrier.inject(active, { headers: undefined, payload: added?.payload ?? new Uint8Array() }),
      undefined,
    )
    const binary = sendless('binary')
    assert.deepEqual(carrier.inject(active, binary), {
      headers: [
        ['ce-traceparent', traceparent],
        ['ce-tracestate', 'a=1'],
      ],
    })
    const protobuf = sendless('protobuf')
    const { payload } = carrier.inject(active, protobuf) ?? {}
    const read = readEvent({ headers: protobuf.headers, body: payload ?? new Uint8Array() }, 'nats').event
    assert.deepEqual(plain(read), {
      ...fullEvent,
      extensions: { ...fullEvent.extensions, traceparent, tracestate: 'a=1' },
    })
    const carried = carrier.extract(context.active(), {
      headers: protobuf.headers,
      payload: payload ?? new Uint8Array(),
    })
    assert.equal(trace.getSpanContext(carried)?.spanId, spanId)
    assert.equal(carrier.inject(context.active(), json), undefined, 'nothing to say without a span')
    for (const name of ['traceparent', 'tracestate']) {
      const carrying = bytesOf(`{"specversion":"1.0","id":"1","source":"/s","type":"t","${name}":"x"}`)
      assert.equal(carrier.inject(active, { headers: undefined, payload: carrying }), undefined, name)
    }
  })

  test('the carrier for NATS never makes a message larger than the limit', () => {
    const payload = bytesOf('{"specversion":"1.0","id":"1","source":"/s","type":"t"}')
    const active = propagation.extract(context.active(), { traceparent })
    const added = `"traceparent":"${traceparent}",`.length
    const fits = cloudEventEnvelope({ sizeBytesMax: payload.length + added })
    assert.equal(
      fits.inject(active, { headers: undefined, payload })?.payload?.length,
      payload.length + added,
    )
    const tight = cloudEventEnvelope({ sizeBytesMax: payload.length + added - 1 })
    assert.equal(tight.inject(active, { headers: undefined, payload }), undefined)
  })

  /** As an untraced program sends it. */
  function sendless(mode: ContentMode): { headers: WrittenMessage['headers']; payload: Uint8Array } {
    const message = sendEvent(fullEvent, { binding: 'nats', mode, propagator: silent }, (written) => written)
    return { headers: message.headers, payload: message.body }
  }

  const silent = { inject() {}, extract: (from: ReturnType<typeof context.active>) => from, fields: () => [] }
}
