// As the README says: one call, before the server.
import { fastifyTracing } from '@throughline/http'
import { initTracer } from '@throughline/node'

const tracing = initTracer('bench', { otlpProtocol: 'http/protobuf' })
Object.assign(globalThis, { fastifyPlugin: fastifyTracing })
process.once('SIGTERM', () => {
  void tracing.shutdown().then(() => process.exit(0))
})
