import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import protobuf from 'protobufjs'

// OpenTelemetry publishes its .proto files to no package registry of JavaScript; dd-trace ships them word for word, with
// only the import paths shortened.
const require = createRequire(import.meta.url)
const protos = join(
  dirname(require.resolve('dd-trace/package.json')),
  'packages/dd-trace/src/opentelemetry/otlp',
)
const root = protobuf.loadSync(
  ['trace_service', 'logs_service', 'metrics_service'].map((name) => join(protos, `${name}.proto`)),
)

/** The message types of the official .proto files, by protobufjs. */
export const official: Readonly<Record<'traces' | 'logs' | 'metrics' | 'traceResponse', protobuf.Type>> = {
  traces: root.lookupType('opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest'),
  logs: root.lookupType('opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest'),
  metrics: root.lookupType('opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest'),
  traceResponse: root.lookupType('opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse'),
}

/** google.rpc, as far as OTLP uses it. */
export const rpc: protobuf.Root = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message Any { string type_url = 1; bytes value = 2; }
  message RetryInfo { Duration retry_delay = 1; }
  message Duration { int64 seconds = 1; int32 nanos = 2; }
`).root

/** What protobufjs reads, as plain data: int64 as decimal text, bytes as hex, defaults filled in, oneofs by name. */
export function decodeOfficially(type: protobuf.Type, bytes: Uint8Array): unknown {
  return plain(
    type.toObject(type.decode(bytes), { longs: String, defaults: true, arrays: true, oneofs: true }),
  )
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, plain(field)]))
}
