import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type Binding,
  type CloudEvent,
  type ContentMode,
  detectMode,
  type HeaderSource,
  ProtoData,
  readBatch,
  readEvent,
  writeBatch,
  writeEvent,
} from './index.ts'
import { bytesOf, fullEvent, plain, textOf, traceparent } from './testing/events.ts'

const modes: readonly ContentMode[] = ['binary', 'json', 'protobuf']
const bindings: readonly Binding[] = ['nats', 'http']

function roundTrip(event: CloudEvent, mode: ContentMode, binding: Binding): unknown {
  const message = writeEvent(event, mode, binding)
  assert.equal(detectMode(message, binding).mode, mode)
  const { event: read, error } = readEvent(message, binding)
  assert.equal(error, undefined)
  return plain(read)
}

test('an event comes back as it was, in each mode over each binding', () => {
  for (const binding of bindings) {
    for (const mode of modes)
      assert.deepEqual(roundTrip(fullEvent, mode, binding), fullEvent, `${mode} ${binding}`)
  }
})

test('data comes back as it was: JSON values, texts, bytes, none; an implied JSON type becomes explicit outside of JSON', () => {
  const minimal = { id: '1', source: '/s', type: 't', extensions: {} }
  const kept: CloudEvent[] = [
    minimal,
    { ...minimal, datacontenttype: 'text/plain', data: 'Grüße, 100 %' },
    { ...minimal, datacontenttype: 'application/xml', data: '<much wow="xml"/>' },
    { ...minimal, datacontenttype: 'application/octet-stream', data: Uint8Array.of(0, 255, 123) },
    { ...minimal, data: Uint8Array.of(123, 125) },
    { ...minimal, datacontenttype: 'application/vnd.x+json', data: [1, null, 'a'] },
    { ...minimal, datacontenttype: 'application/json', data: null },
    { ...minimal, datacontenttype: 'application/json; charset=utf-8', data: 'a text that is JSON' },
  ]
  for (const event of kept) {
    for (const mode of modes)
      assert.deepEqual(roundTrip(event, mode, 'nats'), event, `${mode} ${JSON.stringify(event)}`)
  }
  const implied = { ...minimal, data: 'just a string' }
  assert.deepEqual(roundTrip(implied, 'json', 'http'), implied)
  for (const mode of ['binary', 'protobuf'] as const) {
    assert.deepEqual(roundTrip(implied, mode, 'http'), { ...implied, datacontenttype: 'application/json' })
  }
})

test('attributes keep their types in JSON and protobuf, and their canonical text in headers', () => {
  const extensions = {
    number: -7,
    least: -2_147_483_648,
    yes: true,
    no: false,
    text: 'Euro € 😀 "%41"',
    bytes: Uint8Array.of(1, 2),
  }
  const event: CloudEvent = { id: '1', source: '/s', type: 't', extensions }
  assert.deepEqual(roundTrip(event, 'protobuf', 'nats'), event)
  assert.deepEqual(roundTrip(event, 'json', 'nats'), {
    ...event,
    extensions: { ...extensions, bytes: 'AQI=' },
  })
  assert.deepEqual(roundTrip(event, 'binary', 'nats'), {
    ...event,
    extensions: {
      number: '-7',
      least: '-2147483648',
      yes: 'true',
      no: 'false',
      text: extensions.text,
      bytes: 'AQI=',
    },
  })
})

test('binary: the headers are those of the two bindings, encoded as the specification wants', () => {
  const event: CloudEvent = {
    ...fullEvent,
    subject: 'Euro € 😀',
    datacontenttype: 'text/plain; charset=utf-8',
    data: 'x',
  }
  const http = Object.fromEntries(writeEvent(event, 'binary', 'http').headers)
  assert.equal(http['ce-subject'], 'Euro%20%E2%82%AC%20%F0%9F%98%80')
  assert.deepEqual(
    [http['content-type'], http['ce-datacontenttype']],
    ['text/plain; charset=utf-8', undefined],
  )
  const nats = Object.fromEntries(writeEvent(event, 'binary', 'nats').headers)
  assert.equal(nats['ce-datacontenttype'], 'text/plain;%20charset=utf-8')
  assert.equal(nats['ce-specversion'], '1.0')
})

test('binary: names in any case, quoted values, and percent signs that encode nothing are read', () => {
  const headers: HeaderSource = new Map([
    ['CE-SpecVersion', '1.0'],
    ['Ce-Id', '"quoted \\"id\\""'],
    ['ce-source', '/a%2fb'],
    ['ce-type', '100%'],
    ['Content-Type', 'TEXT/Plain'],
    ['ce-', 'nothing'],
  ])
  const { event } = readEvent({ headers, body: bytesOf('hi') }, 'http')
  assert.deepEqual(plain(event), {
    id: 'quoted "id"',
    source: '/a/b',
    type: '100%',
    datacontenttype: 'TEXT/Plain',
    extensions: {},
    data: 'hi',
  })
})

test('binary: on NATS the type of the data has a header of its own, which counts first', () => {
  const headers = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' }
  const body = bytesOf('{"a":1}')
  const both = { ...headers, 'ce-datacontenttype': 'text/plain', 'content-type': 'application/json' }
  assert.equal(readEvent({ headers: both, body }, 'nats').event?.data, '{"a":1}')
  const usual = { ...headers, 'content-type': 'application/json' }
  assert.deepEqual(readEvent({ headers: usual, body }, 'nats').event?.data, { a: 1 })
})

test('headers are read wherever they come from', () => {
  const entries = writeEvent(fullEvent, 'binary', 'nats').headers
  const body = bytesOf(JSON.stringify(fullEvent.data))
  const multi = new Map(entries.map(([name, value]) => [name, [value]]))
  const sources: HeaderSource[] = [
    entries,
    new Map(entries),
    multi,
    new Headers([...entries].map(([k, v]) => [k, v])),
    Object.fromEntries(entries),
    Object.fromEntries(multi),
  ]
  for (const headers of sources)
    assert.deepEqual(plain(readEvent({ headers, body }, 'nats').event), fullEvent)
})

test('detection: content type first, then ce- headers, then on NATS alone the first byte', () => {
  const json = writeEvent(fullEvent, 'json', 'nats').body
  const protobuf = writeEvent(fullEvent, 'protobuf', 'nats').body
  const binary = writeEvent(fullEvent, 'binary', 'nats').headers
  const blank = binary.map(([name, value]) => [name, name === 'ce-type' ? '  ' : value] as const)
  const cases: [HeaderSource | undefined, Uint8Array, string | undefined, string | undefined][] = [
    [undefined, json, 'json', undefined],
    [undefined, bytesOf(` \r\n\t${textOf(json)}`), 'json', undefined],
    [undefined, protobuf, 'protobuf', undefined],
    [undefined, new Uint8Array(), undefined, undefined],
    [binary, json, 'binary', 'binary'],
    [blank, json, 'json', undefined],
    [
      [
        ...binary.filter(([name]) => name !== 'content-type'),
        ['Content-Type', 'Application/CloudEvents; charset=utf-8'],
      ],
      json,
      'json',
      'json',
    ],
    [{ 'content-type': 'application/cloudevents+protobuf' }, json, 'protobuf', 'protobuf'],
    [{ 'content-type': 'application/cloudevents-batch+json' }, json, 'json-batch', 'json-batch'],
    [{ 'content-type': 'application/cloudevents+avro' }, json, undefined, undefined],
  ]
  for (const [index, [headers, body, nats, http]] of cases.entries()) {
    assert.equal(detectMode({ headers, body }, 'nats').mode, nats, `nats ${index}`)
    assert.equal(detectMode({ headers, body }, 'http').mode, http, `http ${index}`)
  }
  assert.equal(
    detectMode({ headers: { 'content-type': 'application/cloudevents+avro' }, body: json }, 'http').error
      ?.code,
    'unsupported_format',
  )
  assert.equal(detectMode({ headers: {}, body: json }, 'http').error?.code, 'not_cloudevent')
})

test('JSON: null is unset, data_base64 is bytes, and an event of other programs with their names is read', () => {
  const body = bytesOf(
    '{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":null,"tenant_id":"a","data_base64":"eyJ9"}',
  )
  assert.deepEqual(plain(readEvent({ headers: undefined, body }, 'nats').event), {
    id: '1',
    source: '/s',
    type: 't',
    extensions: { tenant_id: 'a' },
    data: bytesOf('{"}'),
  })
})

test('batch: all events come back, an empty batch has none, another mode is a batch of one', () => {
  const events = [{ id: '1', source: '/s', type: 't', extensions: { traceparent } }, fullEvent]
  const batch = writeBatch(events)
  assert.deepEqual(readBatch(batch, 'http').events?.map(plain), events)
  assert.deepEqual(readBatch(writeBatch([]), 'http').events, [])
  assert.deepEqual(readBatch(writeEvent(fullEvent, 'json', 'http'), 'http').events?.map(plain), [fullEvent])
  assert.equal(readEvent(batch, 'http').error?.code, 'unsupported_format')
})

test('what cannot be written is refused with its code', () => {
  const bad: [Partial<Record<keyof CloudEvent, unknown>>, ContentMode, string][] = [
    [{ id: undefined }, 'json', 'missing_attribute'],
    [{ source: '' }, 'protobuf', 'invalid_attribute'],
    [{ subject: 'line\nbreak' }, 'binary', 'invalid_attribute'],
    [{ extensions: { id: '2' } }, 'json', 'invalid_attribute'],
    [{ extensions: { data: '2' } }, 'json', 'invalid_attribute'],
    [{ extensions: { number: 1.5 } }, 'json', 'invalid_attribute'],
    [{ extensions: { number: 2_147_483_648 } }, 'protobuf', 'invalid_attribute'],
    [{ extensions: { number: -2_147_483_649 } }, 'protobuf', 'invalid_attribute'],
    [{ datacontenttype: 'text/plain', data: { a: 1 } }, 'json', 'invalid_data'],
    [{ datacontenttype: 'text/plain', data: { a: 1 } }, 'binary', 'invalid_data'],
    [{ datacontenttype: 'text/plain', data: { a: 1 } }, 'protobuf', 'invalid_data'],
    [{ data: 1n }, 'json', 'invalid_data'],
    [{ data: () => {} }, 'binary', 'invalid_data'],
    [{ data: new ProtoData('type.example/T', Uint8Array.of(1)) }, 'json', 'invalid_data'],
  ]
  for (const [change, mode, code] of bad) {
    const event = { ...fullEvent, ...change } as CloudEvent
    assert.throws(
      () => writeEvent(event, mode, 'nats'),
      { name: 'CloudEventError', code },
      JSON.stringify(Object.keys(change)),
    )
  }
})
