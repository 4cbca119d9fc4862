import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sealOpenChunk } from './open-chunk.ts'
import { SpanChunkEncoder } from './span-chunk-encoder.ts'
import { httpScope, spanRecord } from './testing/span.ts'
import { decodeTraces } from './traces-protobuf.ts'

/** A chunk that is being written, in a buffer that was used before. */
function open(spanCount: number): { encoder: SpanChunkEncoder; copy: () => Uint8Array } {
  const buffer = new ArrayBuffer(256 * 1024)
  new Uint8Array(buffer).fill(0xff)
  const encoder = new SpanChunkEncoder({
    resource: { 'service.name': 'x'.repeat(200) },
    resourceSchemaUrl: 'https://example.org/schema',
  })
  encoder.attach(buffer)
  for (let index = 0; index < spanCount; index++) {
    const scope =
      index % 5 < 3 ? httpScope : { ...httpScope, name: 'other', schemaUrl: 'https://example.org/scope' }
    encoder.add(
      spanRecord({ name: `span ${index}`, scope, flatAttributes: ['long', 'x'.repeat(index * 300)] }),
    )
  }
  return { encoder, copy: () => new Uint8Array(buffer.slice(0, encoder.sizeBytes)) }
}

test('a sealed copy of an open chunk is what finish gives, and the open chunk goes on', () => {
  for (let spanCount = 1; spanCount <= 40; spanCount++) {
    const { encoder, copy } = open(spanCount)
    const chunk = copy()
    assert.equal(sealOpenChunk(chunk), spanCount)
    assert.deepEqual(chunk, new Uint8Array(encoder.finish()))
    assert.equal(decodeTraces(chunk).error, undefined)
  }
})

test('bytes that are no open chunk are none, wherever they were cut', () => {
  const { copy } = open(7)
  const whole = copy()
  let refusedCount = 0
  const ends = new Set<number>()
  for (let spanCount = 1; spanCount <= 7; spanCount++) ends.add(open(spanCount).encoder.sizeBytes)
  for (let sizeBytes = 400; sizeBytes < whole.length; sizeBytes++)
    if (!ends.has(sizeBytes)) {
      const cut = whole.slice(0, sizeBytes)
      // Between a scope's header and its first span a cut is harmless.
      if (sealOpenChunk(cut) !== undefined) assert.equal(decodeTraces(cut).error, undefined, `${sizeBytes}`)
      else refusedCount++
    }
  assert.ok(refusedCount > 1000)
  assert.equal(sealOpenChunk(new Uint8Array(0)), undefined)
  assert.equal(sealOpenChunk(new Uint8Array(100).fill(0xff)), undefined)
})
