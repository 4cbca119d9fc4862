import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { trace } from '@opentelemetry/api'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { contextWithSpan, OpenSpans, rootContext, TracerProvider } from '@throughline/trace'
import { initTracer } from './init-tracer.ts'
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

test('initTracer reports to the meter provider that it is given, from the real exporter', async () => {
  const server = createServer((request, response) => {
    request
      .resume()
      .on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  const reader = new ManualReader()
  const meterProvider = new MeterProvider({ readers: [reader] })
  const otlpEndpoint = `http://127.0.0.1:${address.port}`
  const tracing = initTracer('metered', { otlpEndpoint, meterProvider, http: false, env: {} })
  try {
    const tracer = tracing.provider.getTracer('test')
    for (let index = 0; index < 3; index++) tracer.startSpan('s', { root: true }).end()
    const open = tracer.startSpan('open', { root: true })
    await tracing.forceFlush({ timeoutMs: 50_000 })
    assert.deepEqual(await collect(reader), [
      'otel.sdk.span.started{otel.span.parent.origin=none otel.span.sampling_result=RECORD_AND_SAMPLE} 4',
      'otel.sdk.span.live{otel.span.sampling_result=RECORD_AND_SAMPLE} 1',
      'otel.sdk.processor.span.processed{otel.component.type=batching_span_processor} 3',
      'otel.sdk.exporter.span.exported{otel.component.type=otlp_http_span_exporter} 3',
    ])
    open.end()
    assert.ok(
      (await collect(reader)).includes(
        'otel.sdk.processor.span.queue.size{otel.component.type=batching_span_processor} 1',
      ),
    )
  } finally {
    await tracing.shutdown({ timeoutMs: 50_000 })
    server.close()
    server.closeAllConnections()
  }
})
