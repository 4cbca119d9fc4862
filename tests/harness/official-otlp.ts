import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import protobuf from 'protobufjs'

// OpenTelemetry publishes its .proto files to no package registry of JavaScript; dd-trace ships them word for word, with
// only the import paths shortened.
const require = createRequire(import.meta.url)
const file = 'packages/dd-trace/src/opentelemetry/otlp/trace_service.proto'
const requestType = protobuf
  .loadSync(join(dirname(require.resolve('dd-trace/package.json')), file))
  .lookupType('opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest')

const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']

/** A span as it came over the wire, read by protobufjs with OpenTelemetry's own .proto files. */
export interface ReceivedSpan {
  readonly service: string
  readonly resource: Readonly<Record<string, unknown>>
  readonly scope: string
  readonly traceId: string
  readonly spanId: string
  /** Empty for a root. */
  readonly parentSpanId: string
  readonly name: string
  readonly kind: string
  readonly startUnixNano: bigint
  readonly endUnixNano: bigint
  /** 0 unset, 1 ok, 2 error. */
  readonly statusCode: number
  readonly attributes: Readonly<Record<string, unknown>>
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
}

/** Throws on what is no ExportTraceServiceRequest. */
export function decodeOfficially(body: Uint8Array): ReceivedSpan[] {
  const options = { longs: String, defaults: true, arrays: true }
  const request = requestType.toObject(requestType.decode(body), options) as WireRequest
  return request.resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const about = attributesOf(resource.attributes)
    return scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        service: String(about['service.name']),
        resource: about,
        scope: scope?.name ?? '',
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        name: span.name,
        kind: kinds[span.kind] ?? String(span.kind),
        startUnixNano: BigInt(span.startTimeUnixNano),
        endUnixNano: BigInt(span.endTimeUnixNano),
        statusCode: span.status?.code ?? 0,
        attributes: attributesOf(span.attributes),
        links: span.links.map((link) => ({ traceId: hex(link.traceId), spanId: hex(link.spanId) })),
      })),
    )
  })
}

interface WireRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly WireAttribute[] }
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string } | null
      readonly spans: readonly WireSpan[]
    }[]
  }[]
}

interface WireAttribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

interface WireSpan {
  readonly traceId: Uint8Array
  readonly spanId: Uint8Array
  readonly parentSpanId: Uint8Array
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly status: { readonly code: number } | null
  readonly attributes: readonly WireAttribute[]
  readonly links: readonly { readonly traceId: Uint8Array; readonly spanId: Uint8Array }[]
}

function attributesOf(attributes: readonly WireAttribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
