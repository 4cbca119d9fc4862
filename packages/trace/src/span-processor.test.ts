import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import * as sdk from '@opentelemetry/sdk-trace-base'
import { batchSpanProcessor } from './batch-span-processor.ts'
import { rootContext } from './context.ts'
import type { IdGenerator } from './id-source.ts'
import type { Sampler } from './sampler.ts'
import { alwaysOnSampler } from './samplers.ts'
import type { ReadableSpan, SpanExporter, SpanProcessor } from './span-processor.ts'
import { collectWarnings } from './testing/collecting-diag.ts'
import { CollectingSink } from './testing/collecting-sink.ts'
import { TracerProvider } from './tracer-provider.ts'

/** Compiles only while OpenTelemetry's interfaces and ours fit each other. */
type Fits<_Ours extends Theirs, Theirs> = true
export type InterfacesFit = [
  Fits<ReadableSpan, sdk.ReadableSpan>,
  Fits<sdk.ReadableSpan, ReadableSpan>,
  Fits<SpanProcessor, sdk.SpanProcessor>,
  Fits<sdk.SpanProcessor, SpanProcessor>,
  Fits<sdk.SpanExporter, SpanExporter>,
  Fits<Sampler, sdk.Sampler>,
  Fits<sdk.Sampler, Sampler>,
  Fits<sdk.IdGenerator, IdGenerator>,
]

const remoteContext = trace.setSpanContext(rootContext, {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
  isRemote: true,
})

function fail(): never {
  throw new Error('broken')
}

describe('OpenTelemetry’s span processors and exporters', () => {
  test('a span arrives in their exporter with everything that was recorded', async () => {
    const exporter = new sdk.InMemorySpanExporter()
    const provider = new TracerProvider({
      resource: { 'service.name': 'test' },
      spanProcessors: [new sdk.SimpleSpanProcessor(exporter)],
    })
    const tracer = provider.getTracer('scope', '1.0', { schemaUrl: 'https://example.org/schema' })
    const beforeMs = Date.now()
    const span = tracer.startSpan('s', { kind: SpanKind.CLIENT, attributes: { a: [1, 2] } }, remoteContext)
    span.addEvent('e', { b: true }).addLink({ context: span.spanContext(), attributes: { c: 'd' } })
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'bad' }).updateName('renamed').end()
    await provider.forceFlush()
    const [finished] = exporter.getFinishedSpans()
    assert.ok(finished)
    assert.equal(finished.name, 'renamed')
    assert.equal(finished.kind, SpanKind.CLIENT)
    assert.deepEqual(finished.spanContext(), span.spanContext())
    assert.deepEqual(finished.parentSpanContext, trace.getSpanContext(remoteContext))
    assert.deepEqual(finished.attributes, { a: [1, 2] })
    assert.deepEqual(finished.status, { code: SpanStatusCode.ERROR, message: 'bad' })
    assert.deepEqual(
      finished.events.map((event) => [event.name, event.attributes]),
      [['e', { b: true }]],
    )
    assert.deepEqual(finished.links, [
      { context: span.spanContext(), attributes: { c: 'd' }, droppedAttributesCount: 0 },
    ])
    assert.deepEqual(finished.instrumentationScope, {
      name: 'scope',
      version: '1.0',
      schemaUrl: 'https://example.org/schema',
    })
    assert.deepEqual(finished.resource.attributes, { 'service.name': 'test' })
    assert.deepEqual(finished.resource.getRawAttributes(), [['service.name', 'test']])
    assert.ok(Math.abs(finished.startTime[0] * 1000 + finished.startTime[1] / 1e6 - beforeMs) < 5000)
    assert.ok(finished.endTime[0] > 0 && finished.duration[0] === 0 && finished.duration[1] > 0)
    assert.deepEqual(
      [
        finished.ended,
        finished.droppedAttributesCount,
        finished.droppedEventsCount,
        finished.droppedLinksCount,
      ],
      [true, 0, 0, 0],
    )
  })

  test('onStart, onEnding and onEnd see the same span, and may write to it until it has ended', () => {
    const calls: unknown[] = []
    const processor: SpanProcessor = {
      onStart(span, parentContext) {
        calls.push(['start', parentContext, span.attributes, span.ended, span.endTime])
        span.setAttribute('from.start', 1)
      },
      onEnding: (span) => void span.setAttribute('from.ending', 2),
      onEnd: (span) =>
        void calls.push(['end', span.attributes, span.ended, span.attributes === span.attributes]),
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
    }
    const sink = new CollectingSink()
    const provider = new TracerProvider({ spanProcessors: [processor], spanSinks: [sink] })
    provider
      .getTracer('t')
      .startSpan('s', { attributes: { own: 0 } }, remoteContext)
      .end()
    assert.deepEqual(calls, [
      ['start', remoteContext, { own: 0 }, false, [0, 0]],
      ['end', { own: 0, 'from.start': 1, 'from.ending': 2 }, true, true],
    ])
    assert.deepEqual(sink.spans[0]?.flatAttributes, ['own', 0, 'from.start', 1, 'from.ending', 2])
  })

  test('one that throws everywhere costs nothing but diagnostics', async () => {
    const broken: SpanProcessor = {
      onStart: fail,
      onEnding: fail,
      onEnd: fail,
      forceFlush: fail,
      shutdown: fail,
    }
    const sink = new CollectingSink()
    const provider = new TracerProvider({ spanProcessors: [broken], spanSinks: [sink] })
    const warnings = collectWarnings(() => provider.getTracer('t').startSpan('s', {}, rootContext).end())
    assert.equal(warnings.length, 3)
    await provider.forceFlush()
    await provider.shutdown()
    assert.deepEqual([sink.spans.length, sink.flushCount, sink.shutdownCount], [1, 1, 1])
  })

  test('a sink that throws keeps the next one from nothing', () => {
    const broken = {
      onEnd: () => {
        throw new Error('broken')
      },
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
    }
    const sink = new CollectingSink()
    const provider = new TracerProvider({ spanSinks: [broken, sink] })
    const warnings = collectWarnings(() => provider.getTracer('t').startSpan('s', {}, rootContext).end())
    assert.deepEqual([warnings.length, sink.spans.length], [1, 1])
  })
})

/** An exporter whose exports wait until a test answers them. */
class ManualExporter implements SpanExporter {
  readonly batches: ReadableSpan[][] = []
  readonly answers: ((result: { code: number; error?: Error }) => void)[] = []
  shutdownCount = 0

  export(spans: ReadableSpan[], answer: (result: { code: number; error?: Error }) => void): void {
    this.batches.push(spans)
    this.answers.push(answer)
  }

  async shutdown(): Promise<void> {
    this.shutdownCount += 1
  }
}

function batching(exporter: SpanExporter, options: Parameters<typeof batchSpanProcessor>[1] = {}) {
  const processor = batchSpanProcessor(exporter, options)
  const tracer = new TracerProvider({ spanProcessors: [processor], sampler: alwaysOnSampler() }).getTracer(
    't',
  )
  const end = (count: number): void => {
    for (let index = 0; index < count; index += 1) tracer.startSpan(`s${index}`, {}, rootContext).end()
  }
  return { processor, end }
}

/** Lets the promises that are due run. */
function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}

describe('batchSpanProcessor', () => {
  test('exports full batches one after the other, and the rest at a flush', async () => {
    const exporter = new ManualExporter()
    const { processor, end } = batching(exporter, { maxExportBatchSize: 2 })
    end(5)
    await turn()
    assert.deepEqual(
      exporter.batches.map((batch) => batch.length),
      [2],
      'the second waits for the first',
    )
    exporter.answers[0]?.({ code: 0 })
    await turn()
    exporter.answers[1]?.({ code: 0 })
    const flushed = processor.forceFlush()
    await turn()
    exporter.answers[2]?.({ code: 0 })
    await flushed
    assert.deepEqual(
      exporter.batches.map((batch) => batch.length),
      [2, 2, 1],
    )
    assert.deepEqual([processor.counts().exported, processor.counts().pending], [5, 0])
  })

  test('exports what waits when its time has come', async () => {
    // The processor's own timer keeps no process alive; the test's has to.
    const alive = setInterval(() => {}, 1000)
    const exported = await new Promise<number>((resolve) => {
      const exporter = {
        export: (spans: ReadableSpan[]) => resolve(spans.length),
        shutdown: () => Promise.resolve(),
      }
      batching(exporter, { scheduledDelayMillis: 1 }).end(3)
    })
    clearInterval(alive)
    assert.equal(exported, 3)
  })

  test('takes as many as may wait, and counts the next one', async () => {
    const exporter = new ManualExporter()
    const { processor, end } = batching(exporter, { maxQueueSize: 3, maxExportBatchSize: 2 })
    const warnings = collectWarnings(() => end(5))
    assert.deepEqual([processor.counts().pending, processor.counts().droppedByFullQueue], [3, 2])
    assert.equal(warnings.length, 1)
  })

  test('an exporter that fails, throws or rejects costs its batch and is told of', async () => {
    const failures: SpanExporter['export'][] = [
      (_spans, answer) => answer({ code: 1, error: new Error('failed') }),
      () => {
        throw new Error('threw')
      },
      async () => {
        throw new Error('rejected')
      },
    ]
    for (const failing of failures) {
      const { processor, end } = batching({ export: failing, shutdown: () => Promise.resolve() })
      end(2)
      await processor.forceFlush()
      const { droppedByFailedExport, pending } = processor.counts()
      assert.deepEqual([droppedByFailedExport, pending], [2, 0])
    }
  })

  test('an exporter that never answers is given up', async () => {
    const { processor, end } = batching(new ManualExporter(), { exportTimeoutMillis: 1 })
    end(1)
    const alive = setInterval(() => {}, 1000)
    await processor.forceFlush()
    clearInterval(alive)
    assert.equal(processor.counts().droppedByFailedExport, 1)
  })

  test('shutdown flushes, then refuses and counts', async () => {
    const exporter = new ManualExporter()
    const { processor, end } = batching(exporter)
    end(1)
    const done = processor.shutdown()
    end(1)
    await turn()
    exporter.answers[0]?.({ code: 0 })
    await done
    await processor.shutdown()
    assert.equal(exporter.shutdownCount, 1)
    assert.deepEqual(processor.counts(), {
      exported: 1,
      pending: 0,
      droppedByFullQueue: 0,
      droppedByFailedExport: 0,
      droppedAfterShutdown: 1,
    })
  })

  test('wrong options stop the start', () => {
    assert.throws(
      () => batchSpanProcessor(new ManualExporter(), { maxQueueSize: 0 }),
      /maxQueueSize.*1 or more/,
    )
  })
})
