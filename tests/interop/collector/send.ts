// Sends spans of every shape to a running collector, by both protocols, plain and compressed; see ../README.md.
import assert from 'node:assert/strict'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { createOtlpExporter, type OtlpExporterOptions } from '@throughline/exporter'
import { SystemClock, TracerProvider } from '@throughline/trace'

const count = Number(process.argv[2] ?? 1_000)
const receivers = [
  ['grpc', '127.0.0.1:24317'],
  ['http/protobuf', 'http://127.0.0.1:24318'],
] as const

async function send(how: Pick<OtlpExporterOptions, 'protocol' | 'endpoint' | 'compression'>): Promise<void> {
  const clock = new SystemClock()
  const exporter = createOtlpExporter({ ...how, clock, resource: { 'service.name': `try-${how.protocol}` } })
  const tracer = new TracerProvider({ clock, spanSinks: [exporter] }).getTracer('try', '1.2.3')
  for (let i = 0; i < count; i++) {
    const attributes = { 'http.route': '/hello', n: -42, f: 1.5, ok: true, list: ['a', 'b'] }
    const parent = tracer.startSpan('GET /hello', { kind: SpanKind.SERVER, attributes })
    const links = [{ context: parent.spanContext() }]
    const inParent = trace.setSpan(ROOT_CONTEXT, parent)
    const child = tracer.startSpan('größe 🚀', { kind: SpanKind.CLIENT, links }, inParent)
    child.addEvent('retry', { attempt: 2 })
    child.recordException(new Error('boom'))
    child.setStatus({ code: SpanStatusCode.ERROR, message: 'boom' })
    child.end()
    parent.end()
  }
  await exporter.shutdown()
  console.log(how.protocol, how.compression, exporter.ledger())
  assert.deepEqual(exporter.ledger(), { ended: 2 * count, delivered: 2 * count, pending: 0, dropped: {} })
}

for (const [protocol, endpoint] of receivers)
  for (const compression of ['none', 'gzip'] as const) await send({ protocol, endpoint, compression })
