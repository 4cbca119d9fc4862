import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Attributes, Span } from '../model.ts'
import { renderTrace } from '../terminal/render-trace.ts'
import { sampleOriginNano, sampleSpan } from '../testing/sample.ts'
import type { ClockSkew } from './clock-skew.ts'
import { compactTrace, expandTrace } from './compact-trace.ts'
import { buildTraceView, type TraceView } from './trace-view.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'

const span = (at: {
  readonly id: number
  readonly parent?: number
  readonly startNano: bigint
  readonly service: string
  readonly host?: string
}): Span => {
  const resource: Attributes = { 'service.name': at.service, ...(at.host && { 'host.name': at.host }) }
  const startTimeUnixNano = sampleOriginNano + at.startNano
  return sampleSpan({
    spanId: String(at.id).padStart(16, '0'),
    parentSpanId: at.parent === undefined ? '' : String(at.parent).padStart(16, '0'),
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + 5_000_000n,
    source: { service: at.service, resource, scopeName: '', scopeVersion: '', scopeAttributes: {} },
  })
}

const view = (...spans: readonly Span[]): TraceView =>
  buildTraceView(traceId, { spans, logs: [], truncated: false })

const api = span({ id: 1, startNano: 30_000_000n, service: 'api' })

const workerAt = (startNano: bigint): TraceView =>
  view(api, span({ id: 2, parent: 1, startNano, service: 'worker' }))

/** What a span of `service` on `host` shows that starts 30 ms before its parent, which is of api on a. */
const skewsOn = (host: string, service: string): readonly ClockSkew[] =>
  view(
    span({ id: 1, startNano: 30_000_000n, service: 'api', host: 'a' }),
    span({ id: 2, parent: 1, startNano: 0n, service, host }),
  ).clockSkews

describe('clock differences', () => {
  const skewed = view(
    api,
    span({ id: 2, parent: 1, startNano: 18_000_000n, service: 'worker' }),
    span({ id: 3, parent: 1, startNano: 20_000_000n, service: 'worker' }),
    span({ id: 4, parent: 2, startNano: 17_000_000n, service: 'worker' }),
  )

  it('are told by the span that starts before its parent, with the largest of each pair for the trace', () => {
    const clocks = [{ behind: 'worker', ahead: 'api', skewMs: 12, spanCount: 2 }]
    assert.deepEqual(skewed.clockSkews, clocks)
    assert.deepEqual(
      skewed.spans.map((s) => s.clockSkewMs),
      [undefined, 12, undefined, 10],
    )
    assert.deepEqual(expandTrace(compactTrace(skewed)).spans[1]?.clockSkewMs, 12)
  })

  it('leave tree, times and drawing as they are', () => {
    assert.deepEqual(
      skewed.spans.map((s) => [s.depth, s.startMs]),
      [
        [0, 13],
        [1, 1],
        [2, 0],
        [1, 3],
      ],
    )
    const drawn = renderTrace(skewed, { width: 80, color: false })
    assert.match(drawn, /\nClocks differ: worker is at least 12\.0 ms behind api\. Times are as sent\.$/)
    for (const line of drawn.split('\n').slice(4, 8)) assert.match(line, /━/)
  })

  it('begin at a millisecond, which some clocks count in', () => {
    assert.deepEqual(workerAt(29_000_001n).clockSkews, [])
    assert.equal(workerAt(29_000_000n).clockSkews[0]?.skewMs, 1)
  })

  it('are between machines: one service on two hosts, not two services on one host', () => {
    assert.deepEqual(skewsOn('a', 'worker'), [])
    assert.deepEqual(skewsOn('b', 'api'), [
      { behind: 'api on b', ahead: 'api on a', skewMs: 30, spanCount: 1 },
    ])
  })
})
