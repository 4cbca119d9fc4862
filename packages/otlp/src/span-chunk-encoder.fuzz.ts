import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { DecodedScopeSpans } from './model.ts'
import { SpanChunkEncoder } from './span-chunk-encoder.ts'
import type { SpanRecord } from './span-record.ts'
import { spans as randomSpans } from './testing/arbitrary-spans.ts'
import { expectedScope, expectedSpan, wellFormed } from './testing/expected.ts'
import { tracesFromOfficial } from './testing/from-official.ts'
import { fuzz } from './testing/fuzz.ts'
import { decodeOfficially, official } from './testing/official.ts'
import { decodeTraces } from './traces-protobuf.ts'

const originUnixNano = 1_763_690_000_123_456_789n

test('random spans: the official decoder and ours read exactly what was added', () => {
  fuzz(
    fc.property(randomSpans, (spans) => {
      const encoder = new SpanChunkEncoder({ originUnixNano, chunkSizeBytes: 4 * 1024 * 1024 })
      for (const span of spans) assert.equal(encoder.add(span), 'ok')
      const chunk = encoder.finish()
      const expected = expectedScopeSpans(spans)
      const read = tracesFromOfficial(decodeOfficially(official.traces, chunk))
      assert.deepEqual(read.resourceSpans[0]?.scopeSpans ?? [], expected)
      assert.deepEqual(decodeTraces(chunk).value?.resourceSpans[0]?.scopeSpans ?? [], expected)
    }),
  )
})

test('random spans in small buffers: every span is in exactly one chunk or refused as too large', () => {
  const size = fc.integer({ min: 1024, max: 40_000 })
  fuzz(
    fc.property(randomSpans, size, size, (spans, chunkSizeBytes, slackBytes) => {
      const chunkSizeBytesMax = chunkSizeBytes + slackBytes
      const encoder = new SpanChunkEncoder({ originUnixNano, chunkSizeBytes, chunkSizeBytesMax })
      const chunks: Uint8Array[] = []
      const accepted: SpanRecord[] = []
      for (const span of spans) {
        let result = encoder.add(span)
        if (result === 'full') {
          chunks.push(encoder.finish())
          result = encoder.add(span)
        }
        assert.notEqual(result, 'full')
        if (result === 'ok') accepted.push(span)
        else assert.ok(sizeAlone(span) > chunkSizeBytesMax - refusalSlackBytes)
      }
      chunks.push(encoder.finish())
      for (const chunk of chunks) assert.ok(chunk.length <= chunkSizeBytesMax)
      const read = decodeTraces(Buffer.concat(chunks)).value?.resourceSpans ?? []
      const readSpans = read.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
      assert.deepEqual(
        readSpans,
        accepted.map((span) => expectedSpan(span, originUnixNano)),
      )
    }),
  )
})

/** The encoder asks for up to this much more room than the last field then takes. */
const refusalSlackBytes = 32

function sizeAlone(span: SpanRecord): number {
  const encoder = new SpanChunkEncoder({ chunkSizeBytes: 4 * 1024 * 1024 })
  encoder.add(span)
  return encoder.sizeBytes
}

/** A new group wherever the scope is another object than the span's before. */
function expectedScopeSpans(spans: readonly SpanRecord[]): DecodedScopeSpans[] {
  return spans
    .reduce<SpanRecord[][]>((groups, span) => {
      const last = groups.at(-1)
      if (last?.[0]?.scope === span.scope) last.push(span)
      else groups.push([span])
      return groups
    }, [])
    .map((group) => {
      const scope = (group[0] as SpanRecord).scope
      return {
        scope: expectedScope(scope),
        schemaUrl: wellFormed(scope.schemaUrl),
        spans: group.map((span) => expectedSpan(span, originUnixNano)),
      }
    })
}
