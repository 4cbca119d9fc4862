import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { INVALID_SPAN_CONTEXT, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import { rootContext, suppressTracing } from './context.ts'
import { alwaysOffSampler, parentBasedSampler, traceIdRatioSampler } from './samplers.ts'
import { collectWarnings } from './testing/collecting-diag.ts'
import { CollectingSink } from './testing/collecting-sink.ts'
import { TracerProvider, type TracerProviderOptions } from './tracer-provider.ts'

function setUp(options: TracerProviderOptions = {}) {
  const sink = new CollectingSink()
  const provider = new TracerProvider({ ...options, spanSinks: [sink] })
  return { sink, provider, tracer: provider.getTracer('test', '1.2.3') }
}

const remote = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
  isRemote: true,
}
const remoteContext = trace.setSpanContext(ROOT_CONTEXT, remote)

describe('Tracer.startSpan', () => {
  test('a root span draws random ids, sets the random flag and reaches the sink when it ends', () => {
    const { sink, tracer } = setUp()
    const span = tracer.startSpan('root', { kind: SpanKind.SERVER, attributes: { a: 1 } }, rootContext)
    assert.equal(sink.spans.length, 0)
    span.end()
    const record = sink.named('root')
    const { traceId, spanId, traceFlags } = span.spanContext()
    assert.match(traceId, /^[0-9a-f]{32}$/)
    assert.match(spanId, /^[0-9a-f]{16}$/)
    assert.equal(traceFlags, 3)
    assert.equal(record.traceFlags, 3)
    assert.equal(record.otlpKind, 2)
    assert.deepEqual(record.flatAttributes, ['a', 1])
    assert.deepEqual([record.parentSpanId0, record.parentSpanId1], [0, 0])
    assert.equal(record.scope.name, 'test')
    assert.equal(record.scope.version, '1.2.3')
    assert.ok(record.endTimeMs >= record.startTimeMs)
    assert.notEqual(tracer.startSpan('other', {}, rootContext).spanContext().traceId, traceId)
  })

  test('a child keeps the trace id, the random flag and the tracestate of its parent', () => {
    const { sink, tracer } = setUp()
    const parent = tracer.startSpan('parent', {}, rootContext)
    const child = tracer.startSpan('child', {}, trace.setSpan(ROOT_CONTEXT, parent))
    child.end()
    assert.equal(child.spanContext().traceId, parent.spanContext().traceId)
    assert.notEqual(child.spanContext().spanId, parent.spanContext().spanId)
    const { spanId0, spanId1 } = parent as unknown as { spanId0: number; spanId1: number }
    const record = sink.named('child')
    assert.deepEqual([record.parentSpanId0, record.parentSpanId1], [spanId0, spanId1])
    assert.equal(record.parentIsRemote, false)
  })

  test('a foreign remote parent without the random flag does not get it from us', () => {
    const { sink, tracer } = setUp()
    const span = tracer.startSpan('server', {}, remoteContext)
    span.end()
    assert.equal(span.spanContext().traceId, remote.traceId)
    assert.equal(span.spanContext().traceFlags, 1)
    assert.equal(sink.named('server').parentIsRemote, true)
    assert.equal(sink.named('server').parentSpanId0 >>> 0, 0xb7ad6b71)
  })

  test('options.root starts a new trace below an active span', () => {
    const { tracer } = setUp()
    const span = tracer.startSpan('root', { root: true }, remoteContext)
    assert.notEqual(span.spanContext().traceId, remote.traceId)
  })

  test('an invalid or throwing parent is no parent', () => {
    const { tracer } = setUp()
    const invalid = trace.setSpanContext(ROOT_CONTEXT, INVALID_SPAN_CONTEXT)
    assert.equal(trace.isSpanContextValid(tracer.startSpan('a', {}, invalid).spanContext()), true)
    const throwing = trace.setSpan(ROOT_CONTEXT, {
      spanContext: () => {
        throw new Error('foreign')
      },
    } as never)
    assert.equal(trace.isSpanContextValid(tracer.startSpan('b', {}, throwing).spanContext()), true)
  })

  test('an unsampled span records nothing and passes its ids on', () => {
    const { sink, tracer } = setUp({ sampler: alwaysOffSampler() })
    const span = tracer.startSpan('off', {}, remoteContext)
    span.setAttribute('a', 1).end()
    assert.equal(span.isRecording(), false)
    assert.equal(span.spanContext().traceId, remote.traceId)
    assert.notEqual(span.spanContext().spanId, remote.spanId)
    assert.equal(span.spanContext().traceFlags, 0)
    assert.equal(sink.spans.length, 0)
  })

  test('nothing is traced inside an exporter’s own work', () => {
    const { sink, tracer } = setUp()
    const span = tracer.startSpan('own request', {}, suppressTracing(remoteContext))
    span.end()
    assert.equal(span.isRecording(), false)
    assert.equal(sink.spans.length, 0)
  })

  test('a span for which a name or kind of the wrong type came is recorded all the same', () => {
    const { sink, tracer } = setUp()
    tracer.startSpan(42 as unknown as string, { kind: 99 as never }, rootContext).end()
    assert.equal(sink.named('42').otlpKind, 1)
  })

  test('after shutdown the parent goes through unchanged, and one diagnostic is given', async () => {
    const { provider, sink, tracer } = setUp()
    await provider.shutdown()
    const warnings = collectWarnings(() => {
      const span = tracer.startSpan('late', {}, remoteContext)
      span.end()
      assert.equal(span.isRecording(), false)
      assert.equal(span.spanContext().spanId, remote.spanId)
      tracer.startSpan('later', {}, remoteContext).end()
    })
    assert.equal(sink.spans.length, 0)
    assert.equal(warnings.length, 1)
    assert.match(warnings[0] ?? '', /shut down/)
  })
})

describe('third-party samplers', () => {
  test('decision, attributes and tracestate of the result are used', () => {
    const asked: unknown[] = []
    const { sink, tracer } = setUp({
      sampler: {
        shouldSample: (_context, traceId, name, kind, attributes) => {
          asked.push(name, kind, attributes)
          assert.match(traceId, /^[0-9a-f]{32}$/)
          return { decision: 2, attributes: { 'sampler.rule': 'x' } }
        },
        toString: () => 'mine',
      },
    })
    tracer.startSpan('s', { kind: SpanKind.CLIENT, attributes: { a: 1 } }, rootContext).end()
    assert.deepEqual(asked, ['s', SpanKind.CLIENT, { a: 1 }])
    assert.deepEqual(sink.named('s').flatAttributes, ['a', 1, 'sampler.rule', 'x'])
  })

  test('RECORD alone records without handing the span to a sink', () => {
    const { sink, tracer } = setUp({
      sampler: { shouldSample: () => ({ decision: 1 }), toString: () => 'record' },
    })
    const span = tracer.startSpan('s', {}, rootContext)
    assert.equal(span.isRecording(), true)
    span.end()
    assert.equal(span.spanContext().traceFlags & 1, 0)
    assert.equal(sink.spans.length, 0)
  })

  test('one that throws costs the span, not the host', () => {
    const { tracer } = setUp({
      sampler: {
        shouldSample: () => {
          throw new Error('broken sampler')
        },
        toString: () => 'broken',
      },
    })
    const warnings = collectWarnings(() => {
      assert.equal(tracer.startSpan('s', {}, rootContext).isRecording(), false)
    })
    assert.match(warnings[0] ?? '', /sampler threw/)
  })

  test('one that starts spans itself does not mix up ids', () => {
    const inner: string[] = []
    const { provider, tracer } = setUp({
      sampler: parentBasedSampler({
        root: {
          shouldSample: (_context, traceId, name) => {
            if (name === 'outer') inner.push(tracer.startSpan('inner', {}, rootContext).spanContext().traceId)
            inner.push(`${name}:${traceId}`)
            return { decision: 2 }
          },
          toString: () => 'reentrant',
        },
      }),
    })
    const outer = provider.getTracer('test', '1.2.3').startSpan('outer', {}, rootContext)
    assert.equal(inner.at(-1), `outer:${outer.spanContext().traceId}`)
    assert.notEqual(inner[1], outer.spanContext().traceId)
  })
})

describe('id generators', () => {
  const traceId = 'aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb'

  test('their ids are used, without the random flag', () => {
    const { tracer } = setUp({
      idGenerator: { generateTraceId: () => traceId, generateSpanId: () => 'cccccccccccccccc' },
    })
    const { spanId, traceFlags, ...rest } = tracer.startSpan('s', {}, rootContext).spanContext()
    assert.equal(rest.traceId, traceId)
    assert.equal(spanId, 'cccccccccccccccc')
    assert.equal(traceFlags, 1)
  })

  test('an invalid or thrown id is replaced by a random one', () => {
    const { tracer } = setUp({
      sampler: traceIdRatioSampler(1),
      idGenerator: {
        generateTraceId: () => 'XYZ',
        generateSpanId: () => {
          throw new Error('no entropy')
        },
      },
    })
    const warnings = collectWarnings(() => {
      const span = tracer.startSpan('s', {}, rootContext)
      assert.equal(trace.isSpanContextValid(span.spanContext()), true)
      assert.equal(span.spanContext().traceFlags, 3)
    })
    assert.match(warnings[0] ?? '', /id generator/)
  })
})

describe('Tracer.startActiveSpan', () => {
  test('returns what the function returns, with and without options and context', () => {
    const { tracer } = setUp()
    assert.equal(
      tracer.startActiveSpan('a', () => 1),
      1,
    )
    assert.equal(
      tracer.startActiveSpan('b', {}, () => 2),
      2,
    )
    const traceId = tracer.startActiveSpan('c', {}, remoteContext, (span) => span.spanContext().traceId)
    assert.equal(traceId, remote.traceId)
  })
})
