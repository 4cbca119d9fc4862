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
  const spans = [...jobTrace(traceId), unusual].map(bare)
  const trace = buildTraceView(traceId, { spans, logs: [], truncated: false })
  const sent = JSON.stringify(compactTrace(trace))
  assert.deepEqual(expandTrace(JSON.parse(sent)), trace)
  assert.ok(sent.length < JSON.stringify(trace).length * 0.7)
})
