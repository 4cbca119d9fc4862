import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Span } from '../model.ts'
import { jobTrace, sampleSpan } from '../testing/sample.ts'
import { compactTrace, expandTrace } from './compact-trace.ts'
import { buildTraceView } from './trace-view.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const bare = ({ attributes: _attributes, ...span }: Span): Span => span

it('a trace survives the way to the page, and gets smaller on it', () => {
  const unusual = sampleSpan({
    parentSpanId: '00000000000000aa',
    statusCode: 2,
    statusMessage: 'failed',
    droppedCount: 3,
    traceState: 'a=1',
  })
  const pending = sampleSpan({ spanId: '00000000000000a1', state: 'pending' })
  const interrupted = sampleSpan({
    spanId: '00000000000000a2',
    state: 'interrupted',
    interruption: 'SIGTERM',
  })
  const spans = [...jobTrace(traceId), unusual, pending, interrupted].map(bare)
  const trace = buildTraceView(traceId, { spans, logs: [], truncated: false })
  const sent = JSON.stringify(compactTrace(trace))
  assert.deepEqual(expandTrace(JSON.parse(sent)), trace)
  assert.deepEqual([trace.pendingCount, trace.interruptedCount], [1, 1])
  assert.ok(sent.length < JSON.stringify(trace).length * 0.6)
})

const id = (n: number): string => String(n).padStart(16, '0')

const span = (spanId: number, parent?: number): Span =>
  bare(sampleSpan({ spanId: id(spanId), parentSpanId: parent === undefined ? '' : id(parent), links: [] }))

it('so do roots beside each other, missing parents with spans below them, and loops', () => {
  const spans = [
    span(1),
    span(2, 1),
    span(3, 2),
    span(4, 1),
    span(5),
    span(6, 99),
    span(7, 6),
    span(8, 9),
    span(9, 8),
  ]
  const trace = buildTraceView(traceId, { spans, logs: [], truncated: true })
  assert.deepEqual(expandTrace(JSON.parse(JSON.stringify(compactTrace(trace)))), trace)
  assert.deepEqual(
    trace.spans.map((s) => s.descendantCount),
    [3, 1, 0, 0, 0, 1, 0, 1, 0],
  )
})
