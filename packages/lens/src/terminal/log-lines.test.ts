import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { LogRecord } from '../model.ts'
import { buildTraceView } from '../query/trace-view.ts'
import { sampleLog, sampleOriginNano, sampleSpan } from '../testing/sample.ts'
import { renderTrace } from './render-trace.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const { spanId } = sampleSpan()
const at = (ms: number): bigint => sampleOriginNano + BigInt(ms * 1e6)

function drawn(logs: readonly LogRecord[], color = false): string[] {
  const view = buildTraceView(traceId, { spans: [sampleSpan({ name: 'work' })], logs, truncated: false })
  return renderTrace(view, { width: 70, color }).split('\n').slice(5)
}

const logs = (count: number): LogRecord[] =>
  Array.from({ length: count }, (_, index) => sampleLog({ spanId, body: `line ${index}` }))

describe('log records in the terminal', () => {
  it('stand below their span with time, level and text, one line each', () => {
    assert.deepEqual(
      drawn([
        sampleLog({ spanId, timeUnixNano: at(2), severityText: 'info', body: 'first\nline' }),
        sampleLog({ spanId, timeUnixNano: at(3), severityText: '', body: { a: 1 } }),
        sampleLog({ spanId: 'ffffffffffffffff', body: 'of another span' }),
      ]),
      ['          +2.00 ms info first line', '          +3.00 ms {"a":1}'],
    )
  })

  it('errors are red, warnings yellow', () => {
    const [error, warning, info] = drawn(
      [17, 13, 9].map((severityNumber) => sampleLog({ spanId, severityNumber })),
      true,
    )
    assert.ok(error?.includes('\x1b[31m'))
    assert.ok(warning?.includes('\x1b[33m'))
    assert.ok(info?.includes('\x1b[2m'))
  })

  it('twenty of a span are shown, of the others their number', () => {
    assert.equal(drawn(logs(20)).length, 20)
    const lines = drawn(logs(22))
    assert.equal(lines.length, 21)
    assert.match(lines.at(-1) ?? '', /… 2 more log records$/)
  })
})
