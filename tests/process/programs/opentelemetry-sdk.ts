// OpenTelemetry's own SDK, set up as its documentation says, with Throughline's HTTP and NATS packages under it and nothing else
// of Throughline. Argument: the URL of a nats server. Prints the ended spans as JSON.
import { once } from 'node:events'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from '@nats-io/transport-node'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { instrumentHttp } from '@throughline/http'
import { traceNats } from '@throughline/nats'

const exporter = new InMemorySpanExporter()
trace.setGlobalTracerProvider(
  new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
)
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
propagation.setGlobalPropagator(new W3CTraceContextPropagator())
instrumentHttp()

const nc = traceNats(await connect({ servers: process.argv[2] ?? '' }))
const consumed = (async () => {
  for await (const message of nc.subscribe('work', { max: 1 }))
    trace.getTracer('program').startSpan(`work ${message.string()}`).end()
})()
await nc.flush()

const server = createServer((_request, response) => {
  nc.publish('work', 'now')
  response.end('taken')
}).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo // A TCP server's address is never a string.
const [response] = (await once(get({ host: '127.0.0.1', port }), 'response')) as [IncomingMessage]
await once(response.resume(), 'close')
server.close()
await consumed
await nc.close()

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
