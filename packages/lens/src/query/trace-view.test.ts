import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Span } from '../model.ts'
import { jobTrace, sampleLog, sampleOriginNano, sampleSpan } from '../testing/sample.ts'
import { buildTraceView, type QueueTime, type TraceView } from './trace-view.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const at = (ms: number): bigint => sampleOriginNano + BigInt(ms * 1e6)
const view = (...spans: readonly Span[]): TraceView =>
  buildTraceView(traceId, { spans, logs: [], truncated: false })

describe('buildTraceView', () => {
  it('lays out the trace of a job', () => {
    const trace = view(...jobTrace(traceId))
    assert.equal(trace.rootName, 'osapi client node hostname')
    assert.equal(trace.rootService, 'osapi-cli')
    assert.deepEqual(trace.services, ['osapi-api', 'osapi-cli', 'osapi-worker'])
    assert.deepEqual([trace.spanCount, trace.errorCount, trace.missingParentCount], [11, 0, 0])
    assert.equal(trace.startTimeUnixNano, '1790000000123456789')
    assert.equal(trace.durationMs, 48.2)
    const job = trace.spans.find((span) => span.name === 'job.process')
    assert.equal(job?.kind, 'CONSUMER')
    assert.equal(job?.depth, 4)
    assert.equal(job?.descendantCount, 4)
    assert.equal(job?.startMs, 24.7)
    assert.deepEqual(job?.queue, { producerSpanId: '0000000000000005', startMs: 15.1, durationMs: 9.6 })
    assert.equal(trace.sources[job?.source ?? -1]?.resource['service.name'], 'osapi-worker')
  })

  it('is plain JSON', () => {
    const trace = view(...jobTrace(traceId))
    assert.deepEqual(JSON.parse(JSON.stringify(trace)), trace)
  })

  it('covers all spans, also those before and after the root', () => {
    const root = sampleSpan({ startTimeUnixNano: at(10), endTimeUnixNano: at(20) })
    const early = sampleSpan({
      spanId: '0b',
      parentSpanId: root.spanId,
      startTimeUnixNano: at(5),
      endTimeUnixNano: at(7),
    })
    const late = sampleSpan({
      spanId: '0c',
      parentSpanId: root.spanId,
      startTimeUnixNano: at(19),
      endTimeUnixNano: at(40),
    })
    const trace = view(root, early, late)
    assert.equal(trace.durationMs, 35)
    assert.deepEqual(
      trace.spans.map((span) => [span.startMs, span.durationMs]),
      [
        [5, 10],
        [0, 2],
        [14, 21],
      ],
    )
  })

  it('gives a span that ends before it starts no duration', () => {
    assert.equal(view(sampleSpan({ endTimeUnixNano: at(-3) })).spans[0]?.durationMs, 0)
  })

  it('places logs and events relative to the start', () => {
    const span = sampleSpan({ events: [{ timeUnixNano: at(2), name: 'e', attributes: { a: 1 } }] })
    const logs = [sampleLog({ timeUnixNano: at(3) })]
    const trace = buildTraceView(traceId, { spans: [span], logs, truncated: true })
    assert.deepEqual(trace.spans[0]?.events, [{ name: 'e', timeMs: 2, attributes: { a: 1 } }])
    assert.deepEqual([trace.logs[0]?.timeMs, trace.logs[0]?.spanId, trace.truncated], [3, span.spanId, true])
  })
})

describe('spans that their program has not ended', () => {
  it('are told from the others, with the process that died', () => {
    const trace = view(
      sampleSpan({ state: 'pending', endTimeUnixNano: at(7) }),
      sampleSpan({ spanId: '0b', state: 'interrupted', interruption: 'SIGTERM' }),
      sampleSpan({ spanId: '0c', state: 'interrupted', source: { ...sampleSpan().source, resource: {} } }),
      sampleSpan({ spanId: '0d' }),
    )
    assert.deepEqual([trace.pendingCount, trace.interruptedCount, trace.durationMs], [1, 2, 7])
    const byId = Object.fromEntries(trace.spans.map((span) => [span.spanId, [span.state, span.interruption]]))
    assert.deepEqual(byId, {
      [sampleSpan().spanId]: ['pending', undefined],
      '0b': ['interrupted', 'SIGTERM (process 4711 on web-01)'],
      '0c': ['interrupted', 'its process died'],
      '0d': [undefined, undefined],
    })
  })

  it('a reason that names the process does not name it twice', () => {
    const interruption = 'process 4711 on web-01 was killed or crashed'
    const trace = view(sampleSpan({ state: 'interrupted', interruption }))
    assert.equal(trace.spans[0]?.interruption, interruption)
  })
})

describe('queue time', () => {
  const producer = sampleSpan({ spanId: '0000000000000001', kind: 4, endTimeUnixNano: at(4) })
  const queueOf = (consumer: Partial<Span>): QueueTime | undefined =>
    view(
      producer,
      sampleSpan({ spanId: '0000000000000002', kind: 5, startTimeUnixNano: at(6), ...consumer }),
    ).spans.find((span) => span.kind === 'CONSUMER')?.queue
  const link = { traceId, spanId: producer.spanId, attributes: {} }

  it('runs from the end of the producer to the start of its child', () => {
    const queue = queueOf({ parentSpanId: producer.spanId })
    assert.deepEqual(queue, { producerSpanId: producer.spanId, startMs: 4, durationMs: 2 })
  })

  it('or of the consumer that links to it', () => {
    assert.equal(queueOf({ links: [{ ...link, traceId: 'f'.repeat(32) }, link] })?.durationMs, 2)
  })

  it('is 0 when the message was taken before the publishing call returned', () => {
    const queue = queueOf({ parentSpanId: producer.spanId, startTimeUnixNano: at(3) })
    assert.deepEqual(queue, { producerSpanId: producer.spanId, startMs: 3, durationMs: 0 })
  })

  it('needs a producer and a consumer of this trace', () => {
    assert.equal(queueOf({}), undefined)
    assert.equal(queueOf({ parentSpanId: producer.spanId, kind: 1 }), undefined)
    assert.equal(queueOf({ links: [{ ...link, traceId: 'f'.repeat(32) }] }), undefined)
    const running = { ...producer, state: 'pending' as const }
    const consumer = sampleSpan({ spanId: '02', kind: 5, parentSpanId: producer.spanId })
    assert.equal(view(running, consumer).spans[1]?.queue, undefined)
  })
})
