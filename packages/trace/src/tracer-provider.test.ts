import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { context, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { rootContext } from './context.ts'
import { AsyncContextManager } from './context-manager.ts'
import { collectWarnings } from './testing/collecting-diag.ts'
import { CollectingSink } from './testing/collecting-sink.ts'
import { TraceError } from './trace-error.ts'
import { TracerProvider } from './tracer-provider.ts'
import { w3cBaggagePropagator } from './w3c-baggage-propagator.ts'

afterEach(() => {
  trace.disable()
  context.disable()
  propagation.disable()
})

describe('TracerProvider.register', () => {
  test('makes tracer, context manager and propagator global, and unregister takes them away again', () => {
    const sink = new CollectingSink()
    const provider = new TracerProvider({ spanSinks: [sink] })
    const early = trace.getTracer('asked for before')
    assert.equal(provider.register(), true)
    assert.equal(provider.register(), true, 'a second call changes nothing')
    early.startActiveSpan('outer', (outer) => {
      const carrier: Record<string, string> = {}
      propagation.inject(context.active(), carrier)
      assert.match(carrier['traceparent'] ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/)
      trace.getTracer('t').startSpan('inner').end()
      outer.end()
    })
    assert.deepEqual(
      [sink.named('inner').parentSpanId0, sink.named('inner').parentSpanId1],
      [sink.named('outer').spanId0, sink.named('outer').spanId1],
    )
    provider.unregister()
    assert.equal(trace.getTracer('t').startSpan('none').isRecording(), false)
    assert.equal(context.active(), ROOT_CONTEXT)
    assert.deepEqual(propagation.fields(), [])
  })

  test('takes another propagator and context manager, or leaves their places alone', () => {
    const provider = new TracerProvider()
    const manager = new AsyncContextManager()
    provider.register({ propagator: w3cBaggagePropagator(), contextManager: manager })
    assert.deepEqual(propagation.fields(), ['baggage'])
    manager.with(rootContext.setValue(Symbol.for('k'), 1), () => {
      assert.equal(context.active().getValue(Symbol.for('k')), 1)
    })
    provider.unregister()
    provider.register({ propagator: null, contextManager: null })
    assert.deepEqual(propagation.fields(), [])
    assert.equal(context.active(), ROOT_CONTEXT)
    provider.unregister()
  })

  test('does nothing where somebody else is registered, and takes nothing of his away', () => {
    const first = new TracerProvider()
    const second = new TracerProvider()
    first.register()
    assert.equal(second.register(), false)
    second.unregister()
    assert.equal(trace.getTracer('t').startSpan('s', {}, rootContext).isRecording(), true)
    assert.deepEqual(propagation.fields(), ['traceparent', 'tracestate'])
    first.unregister()
  })

  test('does not take away a provider that was registered after ours was disabled', () => {
    const first = new TracerProvider()
    const second = new TracerProvider()
    first.register({ propagator: null, contextManager: null })
    trace.disable()
    second.register({ propagator: null, contextManager: null })
    first.unregister()
    assert.equal(trace.getTracer('t').startSpan('s', {}, rootContext).isRecording(), true)
    second.unregister()
  })
})

describe('TracerProvider', () => {
  test('one tracer per scope', () => {
    const provider = new TracerProvider()
    const tracer = provider.getTracer('a', '1', { schemaUrl: 'x' })
    assert.equal(provider.getTracer('a', '1', { schemaUrl: 'x' }), tracer)
    assert.notEqual(provider.getTracer('a', '2', { schemaUrl: 'x' }), tracer)
    assert.notEqual(provider.getTracer('a', '1'), tracer)
    assert.deepEqual(tracer.scope, { name: 'a', version: '1', schemaUrl: 'x', flatAttributes: [] })
  })

  test('scope names without end do not fill the memory: beyond 1000 a tracer is not kept', () => {
    const provider = new TracerProvider()
    for (let index = 0; index < 1000; index += 1) provider.getTracer(`t${index}`)
    assert.equal(provider.getTracer('t999'), provider.getTracer('t999'))
    assert.notEqual(provider.getTracer('t1000'), provider.getTracer('t1000'))
  })

  test('a sampler that is none stops the start', () => {
    assert.throws(() => new TracerProvider({ sampler: 'always_on' as never }), TraceError)
  })

  test('shutdown happens once; a span that ends later still reaches the sink’s ledger', async () => {
    const sink = new CollectingSink()
    const provider = new TracerProvider({ spanSinks: [sink] })
    const late = provider.getTracer('t').startSpan('late', {}, rootContext)
    const done = provider.shutdown()
    assert.equal(provider.shutdown(), done)
    await done
    assert.equal(sink.shutdownCount, 1)
    late.end()
    assert.equal(sink.spans.length, 1)
  })

  test('a flush that fails is reported and does not reject', async () => {
    const provider = new TracerProvider({
      spanSinks: [
        {
          onEnd: () => {},
          forceFlush: () => Promise.reject(new Error('away')),
          shutdown: () => Promise.resolve(),
        },
      ],
    })
    await provider.forceFlush()
  })

  test('the resource is a copy', () => {
    const resource = { 'service.name': 'a' }
    const provider = new TracerProvider({ resource })
    resource['service.name'] = 'b'
    assert.deepEqual(provider.resource, { 'service.name': 'a' })
  })
})

test('diagnostics: one message a minute for each subject, then how many were held back', async () => {
  const { Diagnostics } = await import('./diagnostics.ts')
  let nowMs = 0
  const diagnostics = new Diagnostics(() => nowMs)
  const warnings = collectWarnings(() => {
    diagnostics.warn('a', 'first')
    diagnostics.warn('a', 'held back')
    diagnostics.warn('b', 'other subject')
    nowMs = 59_999
    diagnostics.warn('a', 'held back too')
    nowMs = 60_000
    diagnostics.warn('a', 'again')
  })
  assert.deepEqual(warnings, [
    'throughline: first',
    'throughline: other subject',
    'throughline: again (2 more like this since the last message)',
  ])
})
