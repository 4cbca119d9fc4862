import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { contextWithSpan, rootContext } from './context.ts'
import { type Sampler, SamplingDecision } from './sampler.ts'
import { TracerProvider } from './tracer-provider.ts'

function counted(provider: TracerProvider): readonly string[] {
  return [
    ...provider.startedSpanCounts().map(({ parentOrigin, samplingResult, count }) => ({
      what: `${parentOrigin} ${samplingResult}`,
      count,
    })),
    ...provider
      .liveSpanCounts()
      .map(({ samplingResult, count }) => ({ what: `live ${samplingResult}`, count })),
  ].flatMap(({ what, count }) => (count === 0 ? [] : [`${what} ${count}`]))
}

test('spans are counted by where their parent is and what the sampler said, and those that record until they end', () => {
  let decision: SamplingDecision = SamplingDecision.RECORD_AND_SAMPLED
  const sampler: Sampler = { shouldSample: () => ({ decision }) }
  const provider = new TracerProvider({ sampler })
  const tracer = provider.getTracer('test')
  assert.deepEqual(counted(provider), [])
  const root = tracer.startSpan('root', {}, rootContext)
  const child = tracer.startSpan('child', {}, contextWithSpan(rootContext, root))
  decision = SamplingDecision.RECORD
  const local = tracer.startSpan('recorded', {}, contextWithSpan(rootContext, root))
  decision = SamplingDecision.NOT_RECORD
  tracer.startSpan('dropped', {}, rootContext).end()
  const started = [
    'none DROP 1',
    'none RECORD_AND_SAMPLE 1',
    'local RECORD_ONLY 1',
    'local RECORD_AND_SAMPLE 1',
  ]
  assert.deepEqual(counted(provider), [...started, 'live RECORD_ONLY 1', 'live RECORD_AND_SAMPLE 2'])
  child.end()
  child.end()
  local.end()
  assert.deepEqual(counted(provider), [...started, 'live RECORD_AND_SAMPLE 1'])
  root.end()
  assert.deepEqual(counted(provider), started)
})

test('by the default sampler too, which is asked in another way', () => {
  const provider = new TracerProvider()
  const tracer = provider.getTracer('test')
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  for (const traceFlags of [0, 1]) {
    const remote = trace.wrapSpanContext({ traceId, spanId: 'b7ad6b7169203331', traceFlags, isRemote: true })
    tracer.startSpan('below a remote one', {}, contextWithSpan(rootContext, remote)).end()
  }
  tracer.startSpan('root', {}, rootContext)
  assert.deepEqual(counted(provider), [
    'none RECORD_AND_SAMPLE 1',
    'remote DROP 1',
    'remote RECORD_AND_SAMPLE 1',
    'live RECORD_AND_SAMPLE 1',
  ])
})
