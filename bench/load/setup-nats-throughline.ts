// As the READMEs say: one call, and one wrapping of the connection.
import { traceNats } from '@throughline/nats'
import { initTracer } from '@throughline/node'

const tracing = initTracer('bench', { otlpProtocol: 'http/protobuf' })
Object.assign(globalThis, { traceNats })
process.once('SIGTERM', () => {
  void tracing.shutdown().then(() => process.exit(0))
})
