import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DecodedSpan } from './model.ts'
import { SpanChunkEncoder } from './span-chunk-encoder.ts'
import { decodeOfficially, official } from './testing/official.ts'
import { httpScope, spanRecord } from './testing/span.ts'
import { decodeTraces } from './traces-protobuf.ts'

test('a chunk, byte for byte', () => {
  const encoder = new SpanChunkEncoder({ resource: { a: 'b' }, originUnixNano: 0x0102030405060708n })
  encoder.add(spanRecord({ flatAttributes: ['k', 300], startTimeMs: 0, endTimeMs: 0.000001 }))
  // Lengths of nested messages are varints padded to two or four bytes: 104, 10, 86, 11, 69.
  const expected = [
    '0a e8808000 0a8a00 0a08 0a0161 1203 0a0162',
    '12 d6808000 0a8b00 0a0468747470 1203312e30',
    '12 c500 0a10 00000001000000020000000300000004 1208 0000000500000006',
    '3002 39 0807060504030201 41 0907060504030201 8501 01010000 2a03474554',
    '4a08 0a016b 1203 18ac02',
  ]
  assert.equal(Buffer.from(encoder.finish()).toString('hex'), expected.join('').replaceAll(' ', ''))
})

test('resource and scope reach the receiver with their schema URLs', () => {
  const encoder = new SpanChunkEncoder({
    resource: { 'service.name': 'api', replicas: 3, left: undefined },
    resourceSchemaUrl: 'https://example.org/resource',
  })
  const scope = {
    name: 'pg',
    version: '2',
    schemaUrl: 'https://example.org/scope',
    flatAttributes: ['x', true],
  }
  encoder.add(spanRecord({ scope }))
  const [resourceSpans] = decodeTraces(encoder.finish()).value?.resourceSpans ?? []
  assert.deepEqual(resourceSpans?.resource.attributes, [
    { key: 'service.name', value: 'api' },
    { key: 'replicas', value: 3 },
  ])
  assert.equal(resourceSpans?.schemaUrl, 'https://example.org/resource')
  assert.deepEqual(resourceSpans?.scopeSpans[0]?.scope.attributes, [{ key: 'x', value: true }])
  assert.equal(resourceSpans?.scopeSpans[0]?.schemaUrl, 'https://example.org/scope')
})

test('a span that has not ended has no end time, whatever the origin', () => {
  for (const originUnixNano of [0n, 1_790_000_000_123_456_789n]) {
    const encoder = new SpanChunkEncoder({ originUnixNano })
    encoder.add(spanRecord({ startTimeMs: 1, endTimeMs: Number.NaN }))
    const span = decodeTraces(encoder.finish()).value?.resourceSpans[0]?.scopeSpans[0]?.spans[0]
    assert.deepEqual([span?.startTimeUnixNano, span?.endTimeUnixNano], [originUnixNano + 1_000_000n, 0n])
  }
})

test('each change of scope begins a new ScopeSpans; the same scope goes on', () => {
  const encoder = new SpanChunkEncoder()
  const other = { ...httpScope, name: 'nats' }
  for (const scope of [httpScope, httpScope, other, httpScope]) encoder.add(spanRecord({ scope }))
  const scopes = decodeTraces(encoder.finish()).value?.resourceSpans[0]?.scopeSpans
  assert.deepEqual(
    scopes?.map(({ scope, spans }) => [scope.name, spans.length]),
    [
      ['http', 2],
      ['nats', 1],
      ['http', 1],
    ],
  )
})

test('finished chunks one behind the other are one valid request', () => {
  const encoder = new SpanChunkEncoder({ chunkItemsMax: 2 })
  const chunks: Uint8Array[] = []
  for (let i = 0; i < 5; i++) {
    if (encoder.add(spanRecord({ name: `span ${i}` })) === 'full') {
      chunks.push(encoder.finish())
      assert.equal(encoder.add(spanRecord({ name: `span ${i}` })), 'ok')
    }
  }
  chunks.push(encoder.finish())
  assert.equal(chunks.length, 3)
  const all = Buffer.concat(chunks)
  assert.deepEqual(
    names(all),
    [0, 1, 2, 3, 4].map((i) => `span ${i}`),
  )
  assert.match(JSON.stringify(decodeOfficially(official.traces, all)), /span 4/)
})

test('a span that does not fit leaves the chunk as it was, up to the last byte', () => {
  const encoder = new SpanChunkEncoder({ chunkSizeBytes: 1024, chunkSizeBytesMax: 1024 })
  assert.equal(encoder.add(spanRecord({ name: 'first' })), 'ok')
  const sizeBytes = encoder.sizeBytes
  let length = 1024
  while (encoder.add(spanRecord({ name: 'x'.repeat(length) })) === 'full') {
    assert.equal(encoder.sizeBytes, sizeBytes)
    length--
  }
  assert.ok(1024 - encoder.sizeBytes < 8, `${encoder.sizeBytes} of 1024 bytes are used`)
  assert.equal(encoder.itemCount, 2)
  assert.deepEqual(names(encoder.finish()), ['first', 'x'.repeat(length)])
})

test('the same wherever in a span the end of the buffer falls', () => {
  const encoder = new SpanChunkEncoder({ chunkSizeBytes: 2048, chunkSizeBytesMax: 2048 })
  encoder.add(spanRecord({ name: 'first' }))
  const before = Buffer.from(encoder.finish())
  for (let length = 1500; length < 2100; length++) {
    for (const fields of [
      { flatAttributes: ['k', 'é'.repeat(length / 2)] },
      { flatAttributes: ['k', ['x'.repeat(length)]] },
      { flatAttributes: ['k', 'x'.repeat(length), 'short', 'value of thirty characters ....'] },
      { flatAttributes: ['k', 'x'.repeat(length), 'number', 7] },
      { flatAttributes: ['k', 'x'.repeat(length), 'numbers', [1.5, 2.5]] },
      { flatAttributes: ['k', 'x'.repeat(length)], statusCode: 2, statusMessage: 'failed' },
      { flatAttributes: ['k', 'x'.repeat(length)], droppedLinksCount: 300 },
      { traceStateText: 'x'.repeat(length) },
      { scope: { ...httpScope, name: 'y'.repeat(length) } },
      {
        eventRecords: [
          { name: 'z'.repeat(length), timeMs: 0, flatAttributes: [], droppedAttributesCount: 0 },
        ],
      },
    ]) {
      encoder.add(spanRecord({ name: 'first' }))
      const result = encoder.add(spanRecord({ name: 'second', ...fields }))
      const chunk = encoder.finish()
      assert.ok(chunk.length <= 2048)
      if (result === 'ok') assert.deepEqual(names(chunk), ['first', 'second'])
      else assert.deepEqual(Buffer.from(chunk), before)
    }
  }
})

test('a buffer grows for one large span, and no further than its limit', () => {
  const encoder = new SpanChunkEncoder({ chunkSizeBytes: 1024, chunkSizeBytesMax: 10_000 })
  assert.equal(encoder.add(spanRecord({ flatAttributes: ['k', 'x'.repeat(9_800)] })), 'ok')
  assert.equal(encoder.add(spanRecord()), 'ok')
  assert.equal(encoder.finish().buffer.byteLength, 10_000)
  assert.equal(encoder.add(spanRecord({ flatAttributes: ['k', 'x'.repeat(10_000)] })), 'too-large')
  assert.equal(encoder.sizeBytes, 0)
  assert.equal(encoder.add(spanRecord({ name: 'next' })), 'ok')
  assert.deepEqual(names(encoder.finish()), ['next'])
})

test('attach goes on in a returned buffer, whatever stands in it', () => {
  const encoder = new SpanChunkEncoder({ resource: { a: 1 } })
  encoder.add(spanRecord())
  const first = encoder.finish()
  const copy = Buffer.from(first)
  const { buffer } = first
  new Uint8Array(buffer).fill(0xff)
  encoder.attach(buffer)
  encoder.add(spanRecord())
  const second = encoder.finish()
  assert.equal(second.buffer, buffer)
  assert.deepEqual(Buffer.from(second), copy)
  assert.equal(encoder.finish().length, 0)
})

test('a buffer too small for the resource is not used', () => {
  const encoder = new SpanChunkEncoder({ resource: { a: 'x'.repeat(5_000) }, chunkSizeBytes: 1024 })
  encoder.attach(new ArrayBuffer(16))
  assert.equal(encoder.add(spanRecord({ name: 'in' })), 'ok')
  assert.deepEqual(names(encoder.finish()), ['in'])
})

test('times are exact to the nanosecond, across the 32-bit border and before the origin', () => {
  const originUnixNano = (0x17bbn << 32n) + 0xffff_ff00n
  const encoder = new SpanChunkEncoder({ originUnixNano })
  const times = [0, 0.000001, 0.000255, 0.000256, 1.000001, 4294.967296, 123456789.123456, -0.000001, -5000.5]
  for (const startTimeMs of times) encoder.add(spanRecord({ startTimeMs }))
  assert.deepEqual(
    spans(encoder.finish()).map((span) => span.startTimeUnixNano - originUnixNano),
    times.map((ms) => BigInt(Math.round(ms * 1e6))),
  )
})

test('a new origin counts for the spans after it', () => {
  const encoder = new SpanChunkEncoder({ originUnixNano: 1_000_000n })
  encoder.add(spanRecord({ startTimeMs: 1 }))
  encoder.originUnixNano = 5_000_000_000_000_000_000n
  encoder.add(spanRecord({ startTimeMs: 1 }))
  assert.deepEqual(
    spans(encoder.finish()).map((span) => span.startTimeUnixNano),
    [2_000_000n, 5_000_000_000_001_000_000n],
  )
})

test('numbers keep their value: int64 where safe, else double', () => {
  const numbers = [0, 1, -1, 127, 128, 2 ** 31, -(2 ** 31), 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 53, 1e300, 0.1]
  const special = [Number.NaN, Infinity, -Infinity]
  const all = [...numbers, ...special]
  const encoder = new SpanChunkEncoder()
  encoder.add(spanRecord({ flatAttributes: all.flatMap((value, i) => [`n${i}`, value]) }))
  const chunk = encoder.finish()
  assert.deepEqual(
    spans(chunk)[0]?.attributes.map(({ value }) => value),
    all,
  )
  const text = JSON.stringify(decodeOfficially(official.traces, chunk))
  assert.match(text, /"intValue":"-9007199254740991"/)
  assert.match(text, /"doubleValue":9007199254740992/)
})

test('arrays keep their nulls, empty ones too', () => {
  const arrays = [['a', null, ''], [1, null, 2.5, -3], [true, null, false], []]
  const encoder = new SpanChunkEncoder()
  encoder.add(spanRecord({ flatAttributes: arrays.flatMap((value, i) => [`a${i}`, value as string[]]) }))
  assert.deepEqual(
    spans(encoder.finish())[0]?.attributes.map(({ value }) => value),
    arrays,
  )
})

test('a value of no attribute type keeps its key and does no harm', () => {
  const odd: unknown[] = [undefined, null, Symbol('s'), () => 1, [Symbol('s'), ['nested'], 3n]]
  const encoder = new SpanChunkEncoder()
  encoder.add(
    spanRecord({ flatAttributes: [...odd.flatMap((value, i) => [`k${i}`, value as string]), 'end', 1] }),
  )
  const attributes = spans(encoder.finish())[0]?.attributes ?? []
  assert.deepEqual(
    attributes.map(({ value }) => value),
    [null, null, null, null, [null, ['nested'], 3], 1],
  )
})

test('keys of any length, more of them than are cached, and cached ones a second time', () => {
  const keys = Array.from({ length: 1_500 }, (_, i) => `key ${i} ${'é'.repeat(i % 300)}`)
  keys.push(
    'x'.repeat(122),
    'x'.repeat(123),
    'x'.repeat(124),
    'x'.repeat(256),
    'x'.repeat(257),
    'x'.repeat(20_000),
  )
  const encoder = new SpanChunkEncoder({ chunkSizeBytes: 4 * 1024 * 1024 })
  for (const value of ['text', 7, true]) {
    encoder.add(spanRecord({ flatAttributes: keys.flatMap((key) => [key, value]) }))
  }
  for (const [i, span] of spans(encoder.finish()).entries()) {
    assert.deepEqual(
      span.attributes,
      keys.map((key) => ({ key, value: ['text', 7, true][i] })),
    )
  }
})

test('an attribute block is encoded once and stands before the span`s own attributes', () => {
  const attributeBlock = {
    entries: ['server.port', 80, 'url.scheme', 'http'],
    encoded: undefined as Uint8Array | undefined,
  }
  const encoder = new SpanChunkEncoder()
  encoder.add(spanRecord({ attributeBlock, flatAttributes: ['own', 1] }))
  const { encoded } = attributeBlock
  encoder.add(spanRecord({ attributeBlock }))
  assert.ok(encoded !== undefined && encoded === attributeBlock.encoded)
  assert.deepEqual(
    spans(encoder.finish()).map((span) => span.attributes.map(({ key }) => key)),
    [
      ['server.port', 'url.scheme', 'own'],
      ['server.port', 'url.scheme'],
    ],
  )
})

test('flags: W3C byte, and whether the parent is remote', () => {
  const encoder = new SpanChunkEncoder()
  for (const parentIsRemote of [false, true]) encoder.add(spanRecord({ traceFlags: 3, parentIsRemote }))
  const link = {
    traceId: 'x'.repeat(32),
    spanId: '00',
    traceFlags: 1,
    isRemote: true,
    traceStateText: '',
    flatAttributes: [],
    droppedAttributesCount: 0,
  }
  encoder.add(spanRecord({ linkRecords: [link] }))
  const [local, remote, linked] = spans(encoder.finish())
  assert.equal(local?.flags, 0x103)
  assert.equal(remote?.flags, 0x303)
  // Ids that are none arrive as zeros, which every receiver knows to be invalid.
  assert.deepEqual(linked?.links[0], {
    traceId: '0'.repeat(32),
    spanId: '0'.repeat(16),
    traceState: '',
    flags: 0x301,
    attributes: [],
    droppedAttributesCount: 0,
  })
})

test('a wrong size is refused with its name and what is allowed', () => {
  for (const chunkSizeBytes of [1023, 64 * 1024 * 1024 + 1, 1.5, Number.NaN]) {
    assert.throws(() => new SpanChunkEncoder({ chunkSizeBytes }), {
      name: 'OtlpError',
      code: 'invalid_option',
      message: /chunkSizeBytes.*1024/,
    })
  }
  assert.equal(new SpanChunkEncoder({ chunkSizeBytes: 1024 }).itemCount, 0)
})

function spans(chunk: Uint8Array): DecodedSpan[] {
  const { value, error } = decodeTraces(chunk)
  assert.equal(error, undefined)
  return (value?.resourceSpans ?? []).flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
}

function names(chunk: Uint8Array): string[] {
  return spans(chunk).map(({ name }) => name)
}
