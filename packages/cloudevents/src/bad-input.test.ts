import assert from 'node:assert/strict'
import { test } from 'node:test'
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import { w3cTraceContextPropagator } from '@throughline/trace'
import { spanContextOf } from './carrier.ts'
import { cloudEventEnvelope, extractContext, type HeaderSource, readBatch, readEvent } from './index.ts'
import { bytesOf, spanId, traceparent } from './testing/events.ts'

const attributes = '"specversion":"1.0","id":"1","source":"/s","type":"t"'
const propagator = w3cTraceContextPropagator()

function jsonError(text: string): string | undefined {
  return readEvent(
    { headers: { 'content-type': 'application/cloudevents+json' }, body: bytesOf(text) },
    'nats',
  ).error?.code
}

function sniffedError(body: Uint8Array): string | undefined {
  return readEvent({ headers: undefined, body }, 'nats').error?.code
}

function binaryError(headers: HeaderSource, body: Uint8Array = new Uint8Array()): string | undefined {
  return readEvent({ headers, body }, 'nats').error?.code
}

const binary = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' }

const hop = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`

/** The span that a message's header or envelope names as the parent. */
function parentOf(headers: Record<string, string | string[]>): string | undefined {
  const message = { headers: { ...binary, ...headers }, body: new Uint8Array() }
  const { event } = readEvent(message, 'nats')
  assert.ok(event !== undefined)
  return spanContextOf(extractContext({ headers: message.headers, event }, ROOT_CONTEXT, propagator))?.spanId
}

function many(count: number): string {
  return Array.from({ length: count }, (_, i) => `,"x${i}":1`).join('')
}

test('JSON that is none, or no event, is told by its code', () => {
  const cases: [string, string][] = [
    ['', 'not_json'],
    ['{', 'not_json'],
    [`{${attributes}} x`, 'not_json'],
    ['{"a":\u0000}', 'not_json'],
    ['null', 'not_cloudevent'],
    ['[]', 'not_cloudevent'],
    ['"text"', 'not_cloudevent'],
    ['{}', 'missing_attribute'],
    [`{${attributes.replace('1.0', '0.3')}}`, 'unsupported_specversion'],
    [`{${attributes.replace('"1.0"', '1.0')}}`, 'unsupported_specversion'],
    [`{${attributes.replace('"id":"1",', '')}}`, 'missing_attribute'],
    [`{${attributes.replace('"source":"/s",', '')}}`, 'missing_attribute'],
    [`{${attributes.replace(',"type":"t"', '')}}`, 'missing_attribute'],
    [`{${attributes.replace('"id":"1"', '"id":""')}}`, 'invalid_attribute'],
    [`{${attributes.replace('"id":"1"', '"id":1')}}`, 'invalid_attribute'],
    [`{${attributes},"subject":"a\\nb"}`, 'invalid_attribute'],
    [`{${attributes},"subject":"\\ud800"}`, 'invalid_attribute'],
    [`{${attributes},"extension":{"a":1}}`, 'invalid_attribute'],
    [`{${attributes},"extension":1.5}`, 'invalid_attribute'],
    [`{${attributes},"data":1,"data_base64":"eyJ9"}`, 'invalid_data'],
    [`{${attributes},"data_base64":"eyJ9="}`, 'invalid_data'],
    [`{${attributes},"data_base64":"e"}`, 'invalid_data'],
    [`{${attributes},"data_base64":7}`, 'invalid_data'],
  ]
  for (const [text, code] of cases) assert.equal(jsonError(text), code, text)
  const invalidUtf8 = Uint8Array.of(0x7b, 0xff, 0x7d)
  assert.equal(readEvent({ headers: undefined, body: invalidUtf8 }, 'nats').error?.code, 'not_json')
})

test('keys that would change a prototype are refused, or are attributes like others, and change none', () => {
  assert.equal(jsonError(`{${attributes},"__proto__":{"polluted":true}}`), 'invalid_attribute')
  assert.equal(jsonError(`{${attributes},"__proto__":"text"}`), 'invalid_attribute')
  assert.equal(binaryError({ ...binary, ['ce-__proto__']: 'x' }), 'invalid_attribute')
  const body = bytesOf(
    `{${attributes},"constructor":"a","tostring":"b","data":{"__proto__":{"polluted":true}}}`,
  )
  const { event } = readEvent({ headers: undefined, body }, 'nats')
  assert.deepEqual(Object.entries(event?.extensions ?? {}), [
    ['constructor', 'a'],
    ['tostring', 'b'],
  ])
  assert.equal(event?.extensions?.['hasOwnProperty'], undefined)
  assert.equal(({} as { polluted?: unknown }).polluted, undefined)
})

test('limits: the last accepted and the first refused', () => {
  const sized = (bytes: number): Uint8Array => {
    const text = `{${attributes},"data":"`
    return bytesOf(`${text}${'x'.repeat(bytes - text.length - 2)}"}`)
  }
  assert.equal(sniffedError(sized(1_048_576)), undefined)
  assert.equal(sniffedError(sized(1_048_577)), 'too_large')
  assert.equal(sniffedError(sized(8 * 1_048_576)), 'too_large')
  const nested = (depth: number): string => `{${attributes},"data":${'['.repeat(depth)}${']'.repeat(depth)}}`
  assert.equal(jsonError(nested(63)), undefined)
  assert.equal(jsonError(nested(64)), 'too_deep')
  assert.equal(jsonError(nested(500_000)), 'too_deep')
  assert.equal(
    jsonError(`{${attributes},"data":${'"['.repeat(1)}${'['.repeat(1000)}"}`),
    undefined,
    'brackets in a text',
  )
  assert.equal(jsonError(`{${attributes}${many(60)}}`), undefined)
  assert.equal(jsonError(`{${attributes}${many(61)}}`), 'too_many_attributes')
  const batch = (count: number): string | undefined => {
    const body = bytesOf(`[${Array.from({ length: count }, () => `{${attributes}}`).join(',')}]`)
    return readBatch({ headers: { 'content-type': 'application/cloudevents-batch+json' }, body }, 'http')
      .error?.code
  }
  assert.equal(batch(1_000), undefined)
  assert.equal(batch(1_001), 'too_many_events')
  const eightMegabytes = new Uint8Array(8 * 1_048_576)
  assert.equal(binaryError(binary, eightMegabytes), 'too_large')
  assert.equal(
    binaryError({ 'content-type': 'application/cloudevents+protobuf' }, eightMegabytes),
    'too_large',
  )
  const headerChars = Object.entries(binary).flat().join('').length
  assert.equal(binaryError({ ...binary, x: 'y'.repeat(1_048_576 - headerChars - 1) }), undefined)
  assert.equal(binaryError({ ...binary, x: 'y'.repeat(1_048_576 - headerChars) }), 'too_large')
})

test('headers with control characters, broken encoding and contradictions are told', () => {
  assert.equal(binaryError({ ...binary, 'ce-subject': 'a\u0000b' }), 'invalid_attribute')
  assert.equal(binaryError({ ...binary, 'ce-subject': 'a%0D%0Ab' }), 'invalid_attribute')
  assert.equal(binaryError({ ...binary, 'ce-subject': 'a%C0%A0b' }), 'invalid_attribute')
  assert.equal(binaryError({ ...binary, 'ce-subject': ['a', 'b'] }), 'invalid_attribute')
  assert.equal(binaryError({ ...binary, 'ce-subject': ['a', 'a'] }), undefined)
  assert.equal(binaryError({ ...binary, 'ce-specversion': '2.0' }), 'unsupported_specversion')
  assert.equal(binaryError({ ...binary, 'content-type': 'application/json' }, bytesOf('{')), 'invalid_data')
  const odd = [['ce-id'], 'x', [1, 2], null] as unknown as HeaderSource
  assert.equal(binaryError(odd), 'not_cloudevent')
})

test('protobuf that is none is told, wherever it breaks off', () => {
  const headers = { 'content-type': 'application/cloudevents+protobuf' }
  const whole = Uint8Array.of(10, 1, 49, 18, 1, 47, 26, 3, 49, 46, 48, 34, 1, 116, 58, 1, 120)
  assert.equal(binaryError(headers, whole), undefined)
  for (let size = 0; size < whole.length; size++) {
    assert.ok(
      ['not_protobuf', 'missing_attribute', undefined].includes(
        binaryError(headers, whole.subarray(0, size)),
      ),
    )
    if (size < 14) assert.notEqual(binaryError(headers, whole.subarray(0, size)), undefined)
  }
  assert.equal(binaryError(headers, Uint8Array.of(10, 0, ...whole.subarray(3))), 'missing_attribute')
  for (const bytes of [
    [7],
    [11],
    [0, 1],
    [10, 255, 255, 255, 255, 15],
    [10, 1, 255],
    [42, 2, 10, 5, 65, 65, 65, 65, 65],
    [8, ...Array<number>(11).fill(255)],
  ]) {
    assert.equal(binaryError(headers, Uint8Array.from(bytes)), 'not_protobuf', String(bytes))
  }
  // A timestamp beyond the year 9999.
  const time = [42, 19, 10, 4, 116, 105, 109, 101, 18, 11, 58, 9, 8, 255, 255, 255, 255, 255, 255, 255, 127]
  assert.equal(binaryError(headers, Uint8Array.from([...whole, ...time])), 'not_protobuf')
})

test('context that is malformed is no error: the header, else the envelope, else a new trace', () => {
  const megabyte = '0'.repeat(1_000_000)
  const envelope = { 'ce-traceparent': traceparent }
  assert.equal(parentOf({ ...envelope, Traceparent: hop }), '2'.repeat(16))
  const malformed = [
    '',
    'x',
    megabyte,
    hop.toUpperCase().replace('00-', 'FF-'),
    `ff${hop.slice(2)}`,
    hop.replaceAll('1', '0'),
    `${hop}-x`,
  ]
  for (const text of malformed) {
    assert.equal(parentOf({ ...envelope, traceparent: text }), spanId, text.slice(0, 60))
    assert.equal(parentOf({ traceparent: text }), undefined)
    assert.equal(parentOf({ 'ce-traceparent': text || 'x' }), undefined)
  }
  assert.equal(
    parentOf({ ...envelope, traceparent: [hop, traceparent] }),
    spanId,
    'two traceparents are none',
  )
  assert.equal(parentOf({ 'ce-traceparent': [hop, traceparent] }), undefined)
  assert.equal(
    parentOf({ ...envelope, tracestate: Array.from({ length: 100 }, (_, i) => `k${i}=v`) }),
    spanId,
  )
  const hundred = Array.from({ length: 100 }, (_, i) => `k${i}=v`)
  assert.equal(parentOf({ traceparent: hop, tracestate: hundred }), '2'.repeat(16))
  assert.equal(parentOf({ ...envelope, 'ce-tracestate': megabyte }), spanId)
})

test('the active span is never taken for what a message brought', () => {
  const active = propagator.extract(
    ROOT_CONTEXT,
    { traceparent },
    { keys: Object.keys, get: (carrier, key) => carrier[key] },
  )
  assert.equal(spanContextOf(active)?.spanId, spanId)
  assert.equal(
    spanContextOf(extractContext({ headers: {}, event: undefined }, active, propagator)),
    undefined,
  )
})

test('the carrier for NATS leaves alone what is no event, and answers the base for it', () => {
  const carrier = cloudEventEnvelope({ propagator })
  const active = propagator.extract(
    ROOT_CONTEXT,
    { traceparent },
    { keys: Object.keys, get: (carried, key) => carried[key] },
  )
  const almost = [
    '',
    '{',
    '{"specversion":"1.0"}',
    `{"data":{${attributes}}}`,
    `[{${attributes}}]`,
    'text',
    `{${attributes}}}`,
  ]
  for (const text of almost) {
    const message = { headers: undefined, payload: bytesOf(text) }
    assert.equal(carrier.inject(active, message), undefined, text)
    assert.equal(carrier.extract(context.active(), message), context.active(), text)
  }
})
