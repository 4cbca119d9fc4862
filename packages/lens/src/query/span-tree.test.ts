import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { array, assert as assertProperty, nat, property } from 'fast-check'
import type { Span } from '../model.ts'
import { sampleOriginNano, sampleSpan } from '../testing/sample.ts'
import { orderSpans } from './span-tree.ts'

/** `parent` 0: a root. Starts one ms after the other in the order of the ids, unless told. */
const span = (id: number, parent: number, startMs = id): Span =>
  sampleSpan({
    spanId: hex(id),
    parentSpanId: parent === 0 ? '' : hex(parent),
    startTimeUnixNano: sampleOriginNano + BigInt(startMs) * 1_000_000n,
  })
const hex = (id: number): string => id.toString(16).padStart(16, '0')

const shape = (spans: readonly Span[]): readonly string[] =>
  orderSpans(spans).map(
    ({ span, depth, descendantCount, missingParent }) =>
      `${'>'.repeat(depth)}${Number.parseInt(span.spanId, 16)}+${descendantCount}${missingParent ? '?' : ''}`,
  )

describe('orderSpans', () => {
  it('goes depth first, children by start time, whatever the order of arrival', () => {
    assert.deepEqual(shape([span(5, 2), span(3, 1), span(4, 2), span(2, 1), span(1, 0)]), [
      '1+4',
      '>2+2',
      '>>4+0',
      '>>5+0',
      '>3+0',
    ])
  })

  it('puts spans whose parent is missing after the roots, with what is below them', () => {
    assert.deepEqual(shape([span(1, 99), span(2, 1), span(3, 0)]), ['3+0', '1+1?', '>2+0'])
  })

  it('keeps a child that starts before its parent below it', () => {
    assert.deepEqual(shape([span(1, 0, 10), span(2, 1, 5)]), ['1+1', '>2+0'])
  })

  it('opens a loop of parents at its earliest span', () => {
    assert.deepEqual(shape([span(1, 2), span(2, 1), span(3, 3), span(4, 0)]), ['4+0', '1+1?', '>2+0', '3+0?'])
  })

  it('survives a chain of 100,000 spans', () => {
    const placed = orderSpans(Array.from({ length: 100_000 }, (_, i) => span(i + 1, i)))
    assert.deepEqual(
      [placed.length, placed.at(-1)?.depth, placed[0]?.descendantCount],
      [100_000, 99_999, 99_999],
    )
  })

  it('returns every span once, and each with its descendants right after it, for any parents', () => {
    const parents = array(nat({ max: 12 }), { minLength: 1, maxLength: 12 })
    assertProperty(
      property(parents, (parentOf) => {
        const spans = parentOf.map((parent, i) => span(i + 1, parent))
        const placed = orderSpans(spans)
        assert.deepEqual(new Set(placed.map((p) => p.span)), new Set(spans))
        assert.equal(placed.length, spans.length)
        placed.forEach(({ depth, descendantCount }, i) => {
          const below = placed.slice(i + 1, i + 1 + descendantCount)
          assert.equal(below.length, descendantCount)
          assert.ok(below.every((p) => p.depth > depth))
          assert.ok((placed[i + 1 + descendantCount]?.depth ?? 0) <= depth)
        })
      }),
    )
  })
})
