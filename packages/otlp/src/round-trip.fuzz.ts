import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { decodeLogsJson, encodeLogsJson } from './logs-json.ts'
import { decodeLogs, encodeLogs } from './logs-protobuf.ts'
import {
  decodeExportTraceResponse,
  decodeStatus,
  encodeExportTraceResponse,
  encodeStatus,
} from './responses.ts'
import { logsData, record, tracesData } from './testing/arbitrary-data.ts'
import { tracesFromOfficial } from './testing/from-official.ts'
import { fuzz } from './testing/fuzz.ts'
import { decodeOfficially, official } from './testing/official.ts'
import { decodeTracesJson, encodeTracesJson } from './traces-json.ts'
import { decodeTraces, encodeTraces } from './traces-protobuf.ts'

test('traces survive protobuf, and the official decoder reads the same', () => {
  fuzz(
    fc.property(tracesData, (data) => {
      const bytes = encodeTraces(data)
      assert.deepEqual(decodeTraces(bytes), { value: data })
      assert.deepEqual(tracesFromOfficial(decodeOfficially(official.traces, bytes)), data)
    }),
  )
})

test('what the official encoder writes, ours reads the same', () => {
  fuzz(
    fc.property(tracesData, (data) => {
      const message = official.traces.decode(encodeTraces(data))
      assert.deepEqual(decodeTraces(official.traces.encode(message).finish()), { value: data })
    }),
  )
})

test('traces survive JSON', () => {
  fuzz(
    fc.property(tracesData, (data) => {
      const text = encodeTracesJson(data)
      assert.deepEqual(decodeTracesJson(text), { value: data })
      assert.deepEqual(decodeTracesJson(JSON.parse(text)), { value: data })
    }),
  )
})

test('logs survive protobuf and JSON, and a pass through the official messages', () => {
  fuzz(
    fc.property(logsData, (data) => {
      const bytes = encodeLogs(data)
      assert.deepEqual(decodeLogs(bytes), { value: data })
      assert.deepEqual(decodeLogs(official.logs.encode(official.logs.decode(bytes)).finish()), {
        value: data,
      })
      assert.deepEqual(decodeLogsJson(encodeLogsJson(data)), { value: data })
    }),
  )
})

test('responses and statuses survive', () => {
  const partialSuccess = record({
    rejectedSpans: fc.maxSafeNat(),
    errorMessage: fc.string({ unit: 'grapheme' }),
  })
  fuzz(
    fc.property(fc.option(partialSuccess, { nil: undefined }), (partialSuccess) => {
      const response = { partialSuccess }
      assert.deepEqual(decodeExportTraceResponse(encodeExportTraceResponse(response)), { value: response })
    }),
  )
  const retryDelayMs = fc.option(fc.nat({ max: 1e9 }), { nil: undefined })
  fuzz(
    fc.property(fc.nat(16), fc.string(), retryDelayMs, (code, message, retryDelayMs) => {
      const status = { code, message, retryDelayMs }
      assert.deepEqual(decodeStatus(encodeStatus(status)), { value: status })
    }),
  )
})
