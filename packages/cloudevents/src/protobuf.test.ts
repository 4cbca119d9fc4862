import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROOT_CONTEXT } from '@opentelemetry/api'
import { w3cTraceContextPropagator } from '@throughline/trace'
import protobuf from 'protobufjs'
import { cloudEventEnvelope, ProtoData, readEvent, writeEvent } from './index.ts'
import { fullEvent, plain, traceparent } from './testing/events.ts'

// The specification's cloudevents.proto, by its fields.
const root = protobuf.Root.fromJSON({
  nested: {
    Timestamp: { fields: { seconds: { type: 'int64', id: 1 }, nanos: { type: 'int32', id: 2 } } },
    Any: { fields: { type_url: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } } },
    Value: {
      oneofs: { attr: { oneof: ['boolean', 'integer', 'string', 'bytes', 'uri', 'uriRef', 'timestamp'] } },
      fields: {
        boolean: { type: 'bool', id: 1 },
        integer: { type: 'int32', id: 2 },
        string: { type: 'string', id: 3 },
        bytes: { type: 'bytes', id: 4 },
        uri: { type: 'string', id: 5 },
        uriRef: { type: 'string', id: 6 },
        timestamp: { type: 'Timestamp', id: 7 },
      },
    },
    Event: {
      oneofs: { data: { oneof: ['binaryData', 'textData', 'protoData'] } },
      fields: {
        id: { type: 'string', id: 1 },
        source: { type: 'string', id: 2 },
        specVersion: { type: 'string', id: 3 },
        type: { type: 'string', id: 4 },
        attributes: { keyType: 'string', type: 'Value', id: 5 },
        binaryData: { type: 'bytes', id: 6 },
        textData: { type: 'string', id: 7 },
        protoData: { type: 'Any', id: 8 },
      },
    },
  },
} as protobuf.INamespace)
const Event = root.lookupType('Event')
const headers = { 'content-type': 'application/cloudevents+protobuf' }

function decoded(body: Uint8Array): Record<string, unknown> {
  return Event.toObject(Event.decode(body), { longs: Number })
}

test('what we write is what another protobuf implementation reads', () => {
  const event = {
    ...fullEvent,
    time: '2018-04-05T17:31:00.5+02:00',
    extensions: { yes: true, n: -7, text: 'ü', bytes: Uint8Array.of(1) },
  }
  assert.deepEqual(decoded(writeEvent(event, 'protobuf', 'nats').body), {
    id: 'A234-1234-1234',
    source: '/mycontext/4',
    specVersion: '1.0',
    type: 'com.example.someevent',
    attributes: {
      subject: { string: 'partnerid/5:clientid/100' },
      time: { timestamp: { seconds: 1_522_942_260, nanos: 500_000_000 } },
      datacontenttype: { string: 'application/json' },
      dataschema: { uri: 'urn:example:schema:1' },
      yes: { boolean: true },
      n: { integer: -7 },
      text: { string: 'ü' },
      bytes: { bytes: Uint8Array.of(1) },
    },
    textData: '{"appinfoA":"abc","appinfoB":123,"appinfoC":true}',
  })
})

test('what another implementation writes is what we read, with fields that are not known yet', () => {
  const body = Event.encode({
    id: '1',
    source: '/s',
    specVersion: '1.0',
    type: 't',
    attributes: {
      time: { timestamp: { seconds: 1_522_949_460, nanos: 1_000_000 } },
      before: { timestamp: { seconds: -1, nanos: 0 } },
      ref: { uriRef: '/a' },
      n: { integer: -2_147_483_648 },
      id: { string: 'not this one' },
    },
    protoData: { type_url: 'type.example/T', value: Uint8Array.of(9) },
  }).finish()
  const extended = Uint8Array.from([
    ...body,
    0x78,
    1,
    0x79,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    0x7d,
    1,
    2,
    3,
    4,
    0x7a,
    1,
    0,
  ])
  const { event } = readEvent({ headers, body: extended }, 'nats')
  assert.deepEqual(plain(event), {
    id: '1',
    source: '/s',
    type: 't',
    time: '2018-04-05T17:31:00.001Z',
    extensions: { before: '1969-12-31T23:59:59Z', ref: '/a', n: -2_147_483_648 },
    data: new ProtoData('type.example/T', Uint8Array.of(9)),
  })
  assert.ok(event !== undefined)
  assert.deepEqual(decoded(writeEvent(event, 'protobuf', 'nats').body)['protoData'], {
    type_url: 'type.example/T',
    value: Uint8Array.of(9),
  })
})

test('an integer of more than 32 bits is cut, as protobuf cuts it', () => {
  // n: 2^32 + 5, as another program with a wider field may write it.
  const n = [42, 11, 10, 1, 0x6e, 18, 6, 16, 0x85, 0x80, 0x80, 0x80, 0x10]
  const { body } = writeEvent({ id: '1', source: '/s', type: 't' }, 'protobuf', 'nats')
  const { event } = readEvent({ headers, body: Uint8Array.from([...body, ...n]) }, 'nats')
  assert.equal(event?.extensions?.['n'], 5)
})

test('the context that is put behind the encoded bytes is read by another implementation', () => {
  const propagator = w3cTraceContextPropagator()
  const context = propagator.extract(
    ROOT_CONTEXT,
    { traceparent, tracestate: 'a=1' },
    { keys: Object.keys, get: (carrier, key) => carrier[key] },
  )
  const { body } = writeEvent({ ...fullEvent, extensions: {} }, 'protobuf', 'nats')
  const added = cloudEventEnvelope({ propagator }).inject(context, { headers, payload: body })
  const { attributes } = decoded(added?.payload ?? new Uint8Array()) as {
    attributes: Record<string, unknown>
  }
  assert.deepEqual(
    [attributes['traceparent'], attributes['tracestate']],
    [{ string: traceparent }, { string: 'a=1' }],
  )
})
