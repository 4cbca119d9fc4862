// As https://opentelemetry.io/docs/languages/js/getting-started/nodejs/ and https://opentelemetry.io/docs/languages/js/exporters/ say:
// NodeSDK, the OTLP exporter of the protocol, its default batch processor.
import { OTLPTraceExporter as GrpcExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { OTLPTraceExporter as HttpExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http'
import { NodeSDK } from '@opentelemetry/sdk-node'

const isGrpc = process.env['OTEL_EXPORTER_OTLP_PROTOCOL'] === 'grpc'

export const sdk: NodeSDK = new NodeSDK({
  serviceName: 'program',
  traceExporter: isGrpc ? new GrpcExporter() : new HttpExporter(),
  instrumentations: [new HttpInstrumentation()],
})
sdk.start()
