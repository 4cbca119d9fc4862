// Throughline's provider with the processors and exporters of OpenTelemetry's SDK. Argument: the URL of an OTLP/HTTP receiver.
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { initTracer } from '@throughline/node'

const url = `${process.argv[2]}/v1/traces`
const tracing = initTracer('program', {
  resource: { zone: 'a' },
  http: false,
  spanProcessors: [
    new SimpleSpanProcessor(new ConsoleSpanExporter()),
    new BatchSpanProcessor(new OTLPTraceExporter({ url })),
  ],
  env: {},
})
const tracer = trace.getTracer('program', '1.0.0')
tracer.startActiveSpan('parent', { kind: SpanKind.SERVER, attributes: { answer: 42 } }, (parent) => {
  const child = tracer.startSpan('child', { links: [{ context: parent.spanContext() }] })
  child.addEvent('half way', { percent: 50 })
  child.recordException(new RangeError('too far'))
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'too far' })
  child.end()
  parent.end()
})
await tracing.shutdown()
