import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Link, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base'
import type { Lens } from '../lens.ts'
import type { TraceView } from '../query/trace-view.ts'
import { getJson, startTestLens } from '../testing/start.ts'

/** One span with everything a span can have, through OpenTelemetry's own SDK and exporter. */
async function exportSpan(exporter: SpanExporter): Promise<string> {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'shop', 'host.name': 'web-01' }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  })
  const spanContext = { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), traceFlags: TraceFlags.SAMPLED }
  const link: Link = { context: spanContext, attributes: { why: 'batch' } }
  const attributes = { text: 'größer', int: 42, double: 0.5, yes: true, list: ['a', 'b'] }
  const span = provider.getTracer('checkout', '1.2.3').startSpan('buy', {
    kind: SpanKind.CONSUMER,
    attributes,
    links: [link],
    root: true,
    startTime: [1_790_000_000, 5],
  })
  span.addEvent('paid', { amount: 12.5 }, [1_790_000_000, 500_005])
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'declined' })
  span.end([1_790_000_000, 1_000_005])
  await provider.forceFlush()
  await provider.shutdown()
  return span.spanContext().traceId
}

describe("OpenTelemetry's exporters reach Lens", () => {
  let lens: Lens
  before(async () => {
    lens = await startTestLens()
  })
  after(() => lens.stop())

  const http = (): string => `http://127.0.0.1:${lens.httpPort}/v1/traces`
  const grpc = (): string => `http://127.0.0.1:${lens.grpcPort}`
  const gzip = { compression: 'gzip' as never }
  const exporters: Readonly<Record<string, () => SpanExporter>> = {
    'by gRPC': () => new GrpcExporter({ url: grpc() }),
    'by gRPC with gzip': () => new GrpcExporter({ url: grpc(), ...gzip }),
    'by HTTP with protobuf': () => new ProtobufExporter({ url: http() }),
    'by HTTP with protobuf and gzip': () => new ProtobufExporter({ url: http(), ...gzip }),
    'by HTTP with JSON': () => new JsonExporter({ url: http() }),
    'by HTTP with JSON and gzip': () => new JsonExporter({ url: http(), ...gzip }),
  }
  for (const [how, exporter] of Object.entries(exporters))
    it(how, async () => {
      const traceId = await exportSpan(exporter())
      const { status, body } = await getJson(`${lens.url}/api/traces/${traceId}`)
      assert.equal(status, 200)
      const trace: TraceView = body
      const [span] = trace.spans
      assert.deepEqual(
        [trace.startTimeUnixNano, trace.durationMs, trace.errorCount, trace.rootService],
        ['1790000000000000005', 1, 1, 'shop'],
      )
      assert.deepEqual(
        [span?.name, span?.kind, span?.status, span?.statusMessage],
        ['buy', 'CONSUMER', 'ERROR', 'declined'],
      )
      assert.deepEqual(span?.attributes, {
        text: 'größer',
        int: 42,
        double: 0.5,
        yes: true,
        list: ['a', 'b'],
      })
      assert.deepEqual(span?.events, [{ name: 'paid', timeMs: 0.5, attributes: { amount: 12.5 } }])
      assert.deepEqual(span?.links, [
        { traceId: 'c'.repeat(32), spanId: 'd'.repeat(16), attributes: { why: 'batch' } },
      ])
      const source = trace.sources[span?.source ?? -1]
      assert.equal(source?.resource['host.name'], 'web-01')
      assert.deepEqual([source?.scopeName, source?.scopeVersion], ['checkout', '1.2.3'])
    })
})
