import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogChunkEncoder } from './log-chunk-encoder.ts'
import type { LogRecord, LogValue } from './log-record.ts'
import { decodeLogs } from './logs-protobuf.ts'
import type { DecodedLogRecord, DecodedValue } from './model.ts'
import { logRecord } from './testing/log-record.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const spanId = 'b7ad6b7169203331'

test('a chunk, byte for byte', () => {
  const encoder = new LogChunkEncoder({ resource: { a: 'b' }, originUnixNano: 0x0102030405060708n })
  encoder.add(
    logRecord({ timeMs: 0, observedTimeMs: 0.000001, traceId, spanId, traceFlags: 1, eventName: 'e' }),
  )
  // Lengths of nested messages are varints padded to two or four bytes: 107, 10, 89, 11, 72, 7.
  const expected = [
    '0a eb808000 0a8a00 0a08 0a0161 1203 0a0162',
    '12 d9808000 0a8b00 0a0468747470 1203312e30',
    '12 c800 09 0807060504030201 59 0907060504030201 1009',
    `4a10 ${traceId} 5208 ${spanId} 45 01000000`,
    '1a04 696e666f 2a8700 0a05 68656c6c6f 6201 65',
  ]
  assert.equal(Buffer.from(encoder.finish()).toString('hex'), expected.join('').replaceAll(' ', ''))
})

test('a record outside of any span has no ids and no flags', () => {
  const [record] = encoded([logRecord({ traceFlags: 1, spanId })])
  assert.deepEqual([record?.traceId, record?.spanId, record?.flags], ['', '', 0])
})

test('bodies and attributes keep their shape', () => {
  const values: [LogValue, DecodedValue][] = [
    ['text', 'text'],
    [{ a: { b: [1, { c: true }] } }, map({ a: map({ b: [1, map({ c: true })] }) })],
    [{}, map({})],
    [[], []],
    [{ left: undefined, kept: null }, map({ kept: null })],
    [2n ** 60n, 2n ** 60n],
    [Uint8Array.of(1, 2), Uint8Array.of(1, 2)],
    [new Date(0) as unknown as LogValue, '1970-01-01T00:00:00.000Z'],
    [{ at: new Date(0) } as unknown as LogValue, map({ at: '1970-01-01T00:00:00.000Z' })],
    [{ run: () => 1, kept: 1 } as unknown as LogValue, map({ kept: 1 })],
  ]
  for (const [value, expected] of values) {
    const [record] = encoded([logRecord({ body: value, flatAttributes: ['key', value, 'end', 1] })])
    assert.deepEqual(record?.body, expected)
    assert.deepEqual(record?.attributes, [
      { key: 'key', value: expected },
      { key: 'end', value: 1 },
    ])
  }
})

test('an error is written as its stack', () => {
  const error = new Error('planted')
  const [record] = encoded([logRecord({ flatAttributes: ['cause', error as unknown as LogValue] })])
  assert.equal(record?.attributes[0]?.value, error.stack)
})

test('an object that holds itself is cut at 24 levels; one that holds itself many times is refused', () => {
  const narrow: { self?: unknown; name: string } = { name: 'n' }
  narrow.self = narrow
  const text = JSON.stringify(encoded([logRecord({ body: narrow as LogValue })])[0]?.body)
  assert.equal(text.match(/"value":"n"/g)?.length, 24)
  const wide: Record<string, unknown> = {}
  for (const key of ['a', 'b', 'c', 'd']) wide[key] = wide
  const encoder = new LogChunkEncoder({ chunkSizeBytes: 1024, chunkSizeBytesMax: 64 * 1024 })
  encoder.add(logRecord({ body: 'first' }))
  assert.equal(encoder.add(logRecord({ body: wide as LogValue })), 'full')
  assert.deepEqual(
    recordsOf(encoder.finish()).map(({ body }) => body),
    ['first'],
  )
  assert.equal(encoder.add(logRecord({ body: wide as LogValue })), 'too-large')
})

test('a value that throws leaves the chunk as it was', () => {
  const encoder = new LogChunkEncoder()
  encoder.add(logRecord({ body: 'first' }))
  const body = {
    get broken(): string {
      throw new Error('planted')
    },
  }
  assert.throws(() => encoder.add(logRecord({ body })), /planted/)
  encoder.add(logRecord({ body: 'second' }))
  assert.deepEqual(
    recordsOf(encoder.finish()).map((record) => record.body),
    ['first', 'second'],
  )
})

function encoded(records: readonly LogRecord[]): DecodedLogRecord[] {
  const encoder = new LogChunkEncoder()
  for (const record of records) assert.equal(encoder.add(record), 'ok')
  return recordsOf(encoder.finish())
}

function recordsOf(chunk: Uint8Array): DecodedLogRecord[] {
  const { value, error } = decodeLogs(chunk)
  assert.equal(error, undefined)
  return (value?.resourceLogs ?? []).flatMap(({ scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) => logRecords),
  )
}

function map(entries: Record<string, DecodedValue>): DecodedValue {
  return { entries: Object.entries(entries).map(([key, value]) => ({ key, value })) }
}
