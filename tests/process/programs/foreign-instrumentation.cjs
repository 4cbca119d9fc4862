'use strict'
// As @opentelemetry/instrumentation-http says in its README, with Throughline's provider in the place of theirs: a CommonJS
// program, the instrumentation registered before node:http is required. Prints the ended spans as JSON.
const { trace } = require('@opentelemetry/api')
const { registerInstrumentations } = require('@opentelemetry/instrumentation')
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http')
const { InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base')

async function main() {
  const { TracerProvider } = await import('@throughline/trace')
  const exporter = new InMemorySpanExporter()
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  provider.register()
  registerInstrumentations({ instrumentations: [new HttpInstrumentation()] })

  const http = require('node:http')
  const server = http.createServer((_request, response) => {
    void trace.getTracer('program').startActiveSpan('work', async (span) => {
      await new Promise(setImmediate)
      span.end()
      response.end('done')
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) =>
    http.get({ host: '127.0.0.1', port }, (r) => r.resume().on('close', resolve)),
  )
  server.close()
  await provider.forceFlush()
  const spans = exporter.getFinishedSpans().map((span) => ({
    name: span.name,
    kind: span.kind,
    scope: span.instrumentationScope.name,
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? '',
    attributes: span.attributes,
  }))
  process.stdout.write(JSON.stringify(spans))
}

void main()
