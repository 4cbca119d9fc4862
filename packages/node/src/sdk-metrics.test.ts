import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { contextWithSpan, OpenSpans, rootContext, TracerProvider } from '@throughline/trace'
import { type ExporterSource, reportSdkMetrics } from './sdk-metrics.ts'

class ManualReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Each data point as `name{attribute values} = value`, those of value 0 left out. */
async function collect(reader: ManualReader): Promise<readonly string[]> {
  const { resourceMetrics, errors } = await reader.collect()
  assert.deepEqual(errors, [])
  return resourceMetrics.scopeMetrics.flatMap(({ metrics }) =>
    metrics.flatMap(({ descriptor, dataPoints }) =>
      dataPoints.flatMap(({ attributes, value }) => {
        assert.equal(descriptor.unit, '{span}')
        const values = Object.entries(attributes)
          .filter(([key]) => key !== 'otel.component.name')
          .map(([key, text]) => `${key}=${String(text)}`)
          .toSorted()
        return value === 0 ? [] : [`${descriptor.name}{${values.join(' ')}} ${JSON.stringify(value)}`]
      }),
    ),
  )
}

const started = (origin: string, result: string): string =>
  `otel.sdk.span.started{otel.span.parent.origin=${origin} otel.span.sampling_result=${result}} 1`

const processor = (error: string): string =>
  `otel.sdk.processor.span.processed{${error}otel.component.type=batching_span_processor}`

const of = (name: string, error = ''): string =>
  `${name}{${error}otel.component.type=otlp_grpc_span_exporter}`

function setUp(exporter?: ExporterSource) {
  const reader = new ManualReader()
  const meterProvider = new MeterProvider({ readers: [reader] })
  const openSpans = new OpenSpans({ openSpansMax: 1 })
  const provider = new TracerProvider({ openSpans })
  const stop = reportSdkMetrics(meterProvider, { provider, openSpans, exporter })
  return { reader, provider, stop }
}

test('spans are counted as they start and end', async () => {
  const { reader, provider } = setUp()
  assert.deepEqual(await collect(reader), [])
  const tracer = provider.getTracer('test')
  const root = tracer.startSpan('root', {}, rootContext)
  tracer.startSpan('child', {}, contextWithSpan(rootContext, root)).end()
  const remote = { traceId: '1'.repeat(32), spanId: '1'.repeat(16), traceFlags: 0, isRemote: true }
  tracer.startSpan('dropped', {}, contextWithSpan(rootContext, trace.wrapSpanContext(remote)))
  assert.deepEqual(await collect(reader), [
    started('none', 'RECORD_AND_SAMPLE'),
    started('local', 'RECORD_AND_SAMPLE'),
    started('remote', 'DROP'),
    'otel.sdk.span.live{otel.span.sampling_result=RECORD_AND_SAMPLE} 1',
    'throughline.span.forgotten{} 1',
  ])
})

test('what the exporter does is read from its accounts, and each drop counts once: as refused, or as not exported', async () => {
  let readCount = 0
  const exporter: ExporterSource = {
    protocol: 'grpc',
    ledger() {
      readCount++
      const dropped = { queue_full: 8, after_shutdown: 2, rejected: 6, http_400: 4 }
      return { ended: 100, delivered: 50, pending: 20, spooled: 10, dropped }
    },
    adopted: () => ({ adopted: 30, delivered: 9, waiting: 20, dropped: { rejected: 1 } }),
  }
  const { reader, stop } = setUp(exporter)
  const expected = [
    `${processor('')} 90`,
    `${processor('error.type=queue_full ')} 8`,
    `${processor('error.type=already_shutdown ')} 2`,
    'otel.sdk.processor.span.queue.size{otel.component.type=batching_span_processor} 20',
    `${of('otel.sdk.exporter.span.inflight')} 50`,
    `${of('otel.sdk.exporter.span.exported')} 59`,
    `${of('otel.sdk.exporter.span.exported', 'error.type=rejected ')} 7`,
    `${of('otel.sdk.exporter.span.exported', 'error.type=http_400 ')} 4`,
    `${of('throughline.spool.span.waiting')} 10`,
    `${of('throughline.spool.span.adopted')} 30`,
    `${of('throughline.exporter.span.dropped', 'error.type=queue_full ')} 8`,
    `${of('throughline.exporter.span.dropped', 'error.type=after_shutdown ')} 2`,
    `${of('throughline.exporter.span.dropped', 'error.type=rejected ')} 7`,
    `${of('throughline.exporter.span.dropped', 'error.type=http_400 ')} 4`,
  ]
  assert.deepEqual(await collect(reader), expected)
  const before = readCount
  stop()
  await collect(reader)
  assert.equal(readCount, before)
})
