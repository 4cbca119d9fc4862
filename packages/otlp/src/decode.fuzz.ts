import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Decoded } from './decode.ts'
import { decodeLogsJson, encodeLogsJson } from './logs-json.ts'
import { decodeLogs, encodeLogs } from './logs-protobuf.ts'
import { decodeMetrics } from './metrics-protobuf.ts'
import { decodeExportTraceResponse, decodeStatus } from './responses.ts'
import { logsData, tracesData } from './testing/arbitrary-data.ts'
import { fuzz } from './testing/fuzz.ts'
import { decodeTracesJson, encodeTracesJson } from './traces-json.ts'
import { decodeTraces, encodeTraces } from './traces-protobuf.ts'

const binaryDecoders: readonly ((bytes: Uint8Array) => Decoded<unknown>)[] = [
  decodeTraces,
  decodeLogs,
  decodeMetrics,
  decodeExportTraceResponse,
  decodeStatus,
]
const jsonDecoders: readonly ((input: unknown) => Decoded<unknown>)[] = [decodeTracesJson, decodeLogsJson]

test('random bytes: every decoder answers', () => {
  fuzz(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      for (const decode of binaryDecoders) answers(decode(bytes))
    }),
    2000,
  )
})

test('plausible bytes (small tags and lengths): every decoder answers', () => {
  const tag = fc
    .tuple(fc.nat(17), fc.constantFrom(0, 1, 2, 2, 2, 3, 4, 5))
    .map(([field, type]) => (field << 3) | type)
  fuzz(
    fc.property(fc.array(fc.oneof(tag, fc.nat(30)), { maxLength: 400 }), (bytes) => {
      for (const decode of binaryDecoders) answers(decode(Uint8Array.from(bytes)))
    }),
    2000,
  )
})

test('messages that were cut or had bytes changed: every decoder answers', () => {
  const message = fc.oneof(tracesData.map(encodeTraces), logsData.map(encodeLogs))
  const changes = fc.array(fc.tuple(fc.nat(100_000), fc.nat(255)), { maxLength: 8 })
  fuzz(
    fc.property(message, changes, fc.nat(100_000), (bytes, changes, cut) => {
      const changed = Uint8Array.from(bytes)
      for (const [at, byte] of changes) if (changed.length > 0) changed[at % changed.length] = byte
      for (const decode of binaryDecoders) {
        answers(decode(changed))
        answers(decode(changed.subarray(0, cut % (changed.length + 1))))
      }
    }),
    500,
  )
})

test('a message cut inside is an error, not half a result', () => {
  fuzz(
    fc.property(tracesData, fc.nat(), (data, cut) => {
      const bytes = encodeTraces({ resourceSpans: data.resourceSpans.slice(0, 1) })
      // One resource_spans field: no cut but the empty one can end where a field ends.
      if (bytes.length > 1) assert.ok(decodeTraces(bytes.subarray(0, 1 + (cut % (bytes.length - 1)))).error)
    }),
  )
})

test('any JSON: every decoder answers', () => {
  const keys = [
    'resourceSpans',
    'scopeSpans',
    'spans',
    'resource',
    'attributes',
    'value',
    'arrayValue',
    'values',
  ]
  const json = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'medium' },
      fc.jsonValue({ maxDepth: 2 }),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie('any'), { maxKeys: 4 }),
    ),
  })).any
  fuzz(
    fc.property(json, (value) => {
      for (const decode of jsonDecoders) {
        answers(decode(value))
        answers(decode(JSON.stringify(value)))
      }
    }),
    1000,
  )
})

test('JSON text that was cut or changed: every decoder answers', () => {
  const text = fc.oneof(tracesData.map(encodeTracesJson), logsData.map(encodeLogsJson))
  fuzz(
    fc.property(
      text,
      fc.nat(100_000),
      fc.constantFrom('', '"', '{', ']', '1', 'null', '\\'),
      (text, at, patch) => {
        const position = at % (text.length + 1)
        for (const decode of jsonDecoders) {
          answers(decode(text.slice(0, position)))
          answers(decode(text.slice(0, position) + patch + text.slice(position + 1)))
        }
      },
    ),
  )
})

function answers(decoded: Decoded<unknown>): void {
  if (decoded.error === undefined) assert.ok(decoded.value !== undefined)
  else assert.ok(decoded.error.message.length < 200 && ['malformed', 'limit'].includes(decoded.error.code))
}
