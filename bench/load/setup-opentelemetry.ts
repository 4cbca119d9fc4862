// As https://opentelemetry.io/docs/languages/js/getting-started/nodejs/ says, with the two instrumentations that this
// server needs instead of all; @fastify/otel is the one that Fastify and OpenTelemetry name for Fastify 5.
import { createRequire } from 'node:module'
import type * as FastifyOtel from '@fastify/otel'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { NodeSDK } from '@opentelemetry/sdk-node'

const require = createRequire(import.meta.url)
const { FastifyOtelInstrumentation } = require('@fastify/otel') as typeof FastifyOtel

const fastify = new FastifyOtelInstrumentation()
const sdk = new NodeSDK({
  serviceName: 'bench',
  traceExporter: new OTLPTraceExporter(),
  instrumentations: [new HttpInstrumentation(), fastify],
})
sdk.start()
Object.assign(globalThis, { fastifyPlugin: fastify.plugin() })
process.once('SIGTERM', () => {
  void sdk.shutdown().finally(() => process.exit(0))
})
