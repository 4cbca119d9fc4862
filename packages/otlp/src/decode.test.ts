import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Decoded, DecodeLimits } from './decode.ts'
import type { DecodedValue } from './model.ts'
import {
  decodeExportTraceResponse,
  decodeStatus,
  encodeExportTraceResponse,
  encodeStatus,
} from './responses.ts'
import { decodeOfficially, official, rpc } from './testing/official.ts'
import { decodeTracesJson } from './traces-json.ts'
import { decodeTraces, encodeTraces } from './traces-protobuf.ts'

const traceId = '0102030405060708090a0b0c0d0e0f10'

function tracesWith(value: DecodedValue, count = 1): Uint8Array {
  const attributes = Array.from({ length: count }, () => ({ key: 'k', value }))
  return encodeTraces({
    resourceSpans: [{ resource: { attributes, droppedAttributesCount: 0 }, schemaUrl: '', scopeSpans: [] }],
  })
}

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
}

function outcome(decoded: Decoded<unknown>): string {
  return decoded.error === undefined ? 'ok' : `${decoded.error.code}: ${decoded.error.message}`
}

test('message size: the last accepted and the first refused', () => {
  const bytes = tracesWith('v')
  assert.equal(outcome(decodeTraces(bytes, { messageSizeBytesMax: bytes.length })), 'ok')
  const refused = `limit: message over ${bytes.length - 1} bytes`
  assert.equal(outcome(decodeTraces(bytes, { messageSizeBytesMax: bytes.length - 1 })), refused)
  const text = '{"resourceSpans":[]}'
  assert.equal(outcome(decodeTracesJson(text, { messageSizeBytesMax: 20 })), 'ok')
  assert.equal(outcome(decodeTracesJson(text, { messageSizeBytesMax: 19 })), 'limit: message over 19 bytes')
})

test('element count: the last accepted and the first refused', () => {
  // ResourceSpans, Resource, and two for each attribute: KeyValue and AnyValue.
  const bytes = tracesWith('v', 10)
  assert.equal(outcome(decodeTraces(bytes, { elementCountMax: 22 })), 'ok')
  assert.equal(outcome(decodeTraces(bytes, { elementCountMax: 21 })), 'limit: more than 21 elements')
  const json = { resourceSpans: [{ resource: { attributes: [{ key: 'k', value: {} }] } }] }
  // The root object counts too.
  assert.equal(outcome(decodeTracesJson(json, { elementCountMax: 5 })), 'ok')
  assert.equal(outcome(decodeTracesJson(json, { elementCountMax: 4 })), 'limit: more than 4 elements')
})

test('value depth: the last accepted and the first refused, in protobuf and JSON', () => {
  let value: DecodedValue = 'leaf'
  let json: object = { stringValue: 'leaf' }
  const limits: DecodeLimits = { valueDepthMax: 5 }
  for (let depth = 1; depth <= 6; depth++) {
    value = [value]
    json = { arrayValue: { values: [json] } }
    const expected = depth <= 5 ? 'ok' : 'limit: values nested deeper than 5'
    assert.equal(outcome(decodeTraces(tracesWith(value), limits)), expected)
    const object = { resourceSpans: [{ resource: { attributes: [{ key: 'k', value: json }] } }] }
    assert.equal(outcome(decodeTracesJson(object, limits)), expected)
  }
})

test('a million nested arrays, maps or groups end at the limit, not on the stack', () => {
  const depth = 100_000
  const json = `{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":${'{"arrayValue":{"values":['.repeat(depth)}`
  assert.equal(outcome(decodeTracesJson(json)), 'malformed: not JSON')
  const closed = `${json}${']}}'.repeat(depth)}}]}}]}`
  assert.match(outcome(decodeTracesJson(closed)), /limit|malformed/)
  assert.match(outcome(decodeTraces(new Uint8Array(1_000_000).fill(0x0b))), /limit: values nested/)
})

test('texts and numbers come out as they went in, however alike they are and whatever came before', () => {
  const texts = Array.from({ length: 5_000 }, (_, i) => `value ${i % 2_500}`)
  const lengths = [63, 64, 65].map((length) => 'x'.repeat(length))
  // One byte a character is not one character a byte.
  const beyondAscii = ['\u00e9', '\u00c3\u00a9', 'A\u0303', '\ufffd', '\u{1f9ff}', 'a\0b']
  const numbers = [0, 127, 128, 8080, 2 ** 28 - 1, 2 ** 28, 2 ** 31, 2 ** 53 - 1, -1, -(2 ** 40)]
  const values: DecodedValue[] = [...texts, ...lengths, ...beyondAscii, ...lengths, ...numbers, true, false]
  const attributes = values.map((value, i) => ({ key: `key ${i % 7}`, value }))
  const resource = { attributes, droppedAttributesCount: 0 }
  const bytes = encodeTraces({ resourceSpans: [{ resource, schemaUrl: '', scopeSpans: [] }] })
  assert.deepEqual(decodeTraces(bytes).value?.resourceSpans[0]?.resource.attributes, attributes)
})

test('bytes that are no UTF-8 are never taken for a text that came before', () => {
  // resource { attributes { key: one byte } }: "a", then 0xff, then U+FFFD as its one character would be in a byte.
  const keys = ['61', 'ff', 'fd', 'ff', '61'].map((byte) => {
    const { value } = decodeTraces(hex(`0a070a050a030a01${byte}`))
    return value?.resourceSpans[0]?.resource.attributes[0]?.key
  })
  assert.deepEqual(keys, ['a', '\ufffd', '\ufffd', '\ufffd', 'a'])
})

test('unknown fields of every wire type are skipped, known ones of a wrong type too', () => {
  const span = '0a10 0102030405060708090a0b0c0d0e0f10'
  const unknown =
    '8006 ffffffffffffffffff01 8106 0102030405060708 8206 02 abcd 8506 01020304 8306 0801 8b060a00 8c06 8406'
  const wrongType = '2801 3a00 31 0000000000000000'
  const body = hex(`${unknown} ${span} ${wrongType} ${unknown}`)
  const bytes = nest('0a', nest('12', nest('12', body)))
  const decoded = decodeTraces(bytes)
  assert.equal(outcome(decoded), 'ok')
  assert.equal(decoded.value?.resourceSpans[0]?.scopeSpans[0]?.spans[0]?.traceId, traceId)
})

test('what is not protobuf is named', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['0a', 'malformed: message ends inside a varint'],
    ['0a 05 00', 'malformed: length beyond the end of the message'],
    ['00 00', 'malformed: field number 0'],
    ['0e', 'malformed: wire type 6'],
    ['0c', 'malformed: wire type 4'],
    ['0b 14', 'malformed: group ends that did not begin'],
    ['09 00 00', 'malformed: message ends inside a field'],
    ['10 ff ff ff ff ff ff ff ff ff ff 01', 'malformed: varint longer than ten bytes'],
    ['ff ff ff ff ff ff ff ff ff ff 01', 'malformed: varint longer than ten bytes'],
    // A nested message that claims a byte of its parent's sibling.
    ['0a 04 0a 03 0a 00 0a 00', 'malformed: length beyond the end of the message'],
  ]
  for (const [bytes, expected] of cases) assert.equal(outcome(decodeTraces(hex(bytes))), expected, bytes)
})

test('ids of a wrong size are empty, a parent of zeros is none', () => {
  const body = hex('0a03 010203 1208 0102030405060708 2208 0000000000000000')
  const span = decodeTraces(nest('0a', nest('12', nest('12', body)))).value?.resourceSpans[0]?.scopeSpans[0]
    ?.spans[0]
  assert.deepEqual([span?.traceId, span?.spanId, span?.parentSpanId], ['', '0102030405060708', ''])
})

test('JSON: case of ids, numbers as text or number, null and unknown fields, values by kind', () => {
  const decoded = decodeTracesJson({
    resourceSpans: [
      {
        unknown: { deep: [1, 2] },
        resource: null,
        scopeSpans: [
          {
            spans: [
              {
                traceId: traceId.toUpperCase(),
                spanId: '0102030405060708',
                parentSpanId: '',
                startTimeUnixNano: '18446744073709551615',
                endTimeUnixNano: 1700000000000000000,
                kind: 2,
                flags: 257,
                attributes: [
                  { key: 'int', value: { intValue: '-9223372036854775808' } },
                  { key: 'small', value: { intValue: 7 } },
                  { key: 'nan', value: { doubleValue: 'NaN' } },
                  { key: 'bytes', value: { bytesValue: 'AQI=' } },
                  { key: 'none', value: {} },
                  { key: 'constructor' },
                ],
              },
            ],
          },
        ],
      },
    ],
  })
  const span = decoded.value?.resourceSpans[0]?.scopeSpans[0]?.spans[0]
  assert.equal(span?.traceId, traceId)
  assert.equal(span?.startTimeUnixNano, 0xffffffffffffffffn)
  assert.equal(span?.endTimeUnixNano, 1700000000000000000n)
  assert.deepEqual(
    span?.attributes.map(({ value }) => value),
    [-9223372036854775808n, 7, Number.NaN, Uint8Array.of(1, 2), null, null],
  )
})

test('JSON of a wrong type is named, and the input is not quoted', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    ['{"secret', 'malformed: not JSON'],
    ['[]', 'malformed: message is not an object'],
    [null, 'malformed: message is not an object'],
    [{ resourceSpans: {} }, 'malformed: resourceSpans is not an array'],
    [{ resourceSpans: [7] }, 'malformed: message is not an object'],
    [spanJson({ name: 7 }), 'malformed: name is not a string'],
    [spanJson({ kind: 'SPAN_KIND_SERVER' }), 'malformed: kind is not a 32-bit integer'],
    [spanJson({ startTimeUnixNano: '1e9' }), 'malformed: startTimeUnixNano is not a 64-bit integer'],
    [
      spanJson({ attributes: [{ key: 'k', value: { boolValue: 1 } }] }),
      'malformed: boolValue is not true or false',
    ],
    [
      spanJson({ attributes: [{ key: 'k', value: { doubleValue: 'x' } }] }),
      'malformed: doubleValue is not a number',
    ],
  ]
  for (const [input, expected] of cases) assert.equal(outcome(decodeTracesJson(input)), expected)
})

test('partial success, read and written as the official messages do', () => {
  const partialSuccess = { rejectedSpans: 3, errorMessage: 'span ids of zero' }
  const bytes = encodeExportTraceResponse({ partialSuccess })
  assert.deepEqual(decodeOfficially(official.traceResponse, bytes), {
    partialSuccess: { rejectedSpans: '3', errorMessage: 'span ids of zero' },
  })
  assert.deepEqual(decodeExportTraceResponse(new Uint8Array(0)).value, { partialSuccess: undefined })
  assert.equal(encodeExportTraceResponse({ partialSuccess: undefined }).length, 0)
})

test('google.rpc.Status with RetryInfo, read and written as protobuf does', () => {
  const types = ['Status', 'RetryInfo', 'Any'].map((name) => rpc.lookupType(`google.rpc.${name}`))
  const [Status, RetryInfo, Any] = types as [(typeof types)[0], (typeof types)[0], (typeof types)[0]]
  const value = RetryInfo.encode({ retryDelay: { seconds: 2, nanos: 500_000_000 } }).finish()
  const retryInfo = { typeUrl: 'type.googleapis.com/google.rpc.RetryInfo', value }
  const other = {
    typeUrl: 'type.googleapis.com/google.rpc.Help',
    value: Any.encode({ typeUrl: 'x' }).finish(),
  }
  const bytes = Status.encode({ code: 14, message: 'busy', details: [other, retryInfo] }).finish()
  assert.deepEqual(decodeStatus(bytes), { value: { code: 14, message: 'busy', retryDelayMs: 2500 } })
  const ours = Status.decode(encodeStatus({ code: 8, message: 'full', retryDelayMs: 1000.5 }))
  const [detail] = (Status.toObject(ours) as { details: { typeUrl: string; value: Uint8Array }[] }).details
  assert.equal(detail?.typeUrl, retryInfo.typeUrl)
  const delay = RetryInfo.toObject(RetryInfo.decode(detail?.value ?? new Uint8Array()), { longs: String })
  assert.deepEqual(delay, { retryDelay: { seconds: '1', nanos: 500_000 } })
})

test('a retry delay from a stranger is never negative', () => {
  assert.equal(decodeStatus(encodeStatus({ code: 14, message: '', retryDelayMs: -5 })).value?.retryDelayMs, 0)
  const Status = rpc.lookupType('google.rpc.Status')
  const detail = {
    typeUrl: 'type.googleapis.com/google.rpc.RetryInfo',
    value: hex('0a 0d 08 ffffffffffffffffff01 10 05'),
  }
  assert.equal(decodeStatus(Status.encode({ details: [detail] }).finish()).value?.retryDelayMs, 0)
})

function spanJson(span: object): unknown {
  return { resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] }
}

function nest(tag: string, body: Uint8Array): Uint8Array {
  assert.ok(body.length < 16384)
  const length = [(body.length & 127) | 128, body.length >> 7]
  return Uint8Array.from([...hex(tag), ...length, ...body])
}
