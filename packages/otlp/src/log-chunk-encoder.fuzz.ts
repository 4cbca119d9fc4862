import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { LogChunkEncoder } from './log-chunk-encoder.ts'
import type { LogRecord } from './log-record.ts'
import { decodeLogs } from './logs-protobuf.ts'
import type { DecodedLogRecord } from './model.ts'
import { logRecords } from './testing/arbitrary-log-records.ts'
import { expectedLogRecord } from './testing/expected.ts'
import { logRecordsFromOfficial } from './testing/from-official.ts'
import { fuzz } from './testing/fuzz.ts'
import { decodeOfficially, official } from './testing/official.ts'

const originUnixNano = 1_763_690_000_123_456_789n
const expected = (records: readonly LogRecord[]): DecodedLogRecord[] =>
  records.map((record) => expectedLogRecord(record, originUnixNano))

test('random records: the official decoder and ours read exactly what was added', () => {
  fuzz(
    fc.property(logRecords, (records) => {
      const encoder = new LogChunkEncoder({ originUnixNano, chunkSizeBytes: 4 * 1024 * 1024 })
      for (const record of records) assert.equal(encoder.add(record), 'ok')
      const chunk = encoder.finish()
      assert.deepEqual(logRecordsFromOfficial(decodeOfficially(official.logs, chunk)), expected(records))
      assert.deepEqual(recordsOf(chunk), expected(records))
    }),
  )
})

test('random records in small buffers: every record is in exactly one chunk or refused as too large', () => {
  fuzz(
    fc.property(logRecords, fc.integer({ min: 1024, max: 40_000 }), (records, chunkSizeBytes) => {
      const encoder = new LogChunkEncoder({
        originUnixNano,
        chunkSizeBytes,
        chunkSizeBytesMax: chunkSizeBytes,
      })
      const chunks: Uint8Array[] = []
      const accepted: LogRecord[] = []
      for (const record of records) {
        let result = encoder.add(record)
        if (result === 'full') {
          chunks.push(encoder.finish())
          result = encoder.add(record)
        }
        assert.notEqual(result, 'full')
        if (result === 'ok') accepted.push(record)
      }
      chunks.push(encoder.finish())
      assert.deepEqual(recordsOf(Buffer.concat(chunks)), expected(accepted))
    }),
  )
})

function recordsOf(bytes: Uint8Array): DecodedLogRecord[] {
  const { value, error } = decodeLogs(bytes)
  assert.equal(error, undefined)
  return (value?.resourceLogs ?? []).flatMap(({ scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) => logRecords),
  )
}
