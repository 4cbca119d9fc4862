import type { AttributeValue, FlatAttributes, SpanRecord } from '@throughline/otlp'

export interface SpanJsonContext {
  readonly resource: Readonly<Record<string, AttributeValue | undefined>>
  /** What the span's times count from. */
  readonly originUnixNano: bigint
}

/**
 * One span as OpenTelemetry's console exporters print it: `timestamp` and `duration` in microseconds, `kind` and
 * `status.code` as the API's numbers, times of events as `[seconds, nanoseconds]`.
 */
export function spanToJson(span: SpanRecord, context: SpanJsonContext): string {
  const isRoot = (span.parentSpanId0 | span.parentSpanId1) === 0
  return JSON.stringify(
    {
      traceId: hex(span.traceId0) + hex(span.traceId1) + hex(span.traceId2) + hex(span.traceId3),
      parentId: isRoot ? undefined : hex(span.parentSpanId0) + hex(span.parentSpanId1),
      traceState: span.traceStateText === '' ? undefined : span.traceStateText,
      name: span.name,
      id: hex(span.spanId0) + hex(span.spanId1),
      kind: span.otlpKind - 1,
      timestamp: Number(unixNano(span.startTimeMs, context) / 1000n),
      duration: Math.round((span.endTimeMs - span.startTimeMs) * 1000),
      attributes: {
        ...attributesToJson(span.attributeBlock?.entries),
        ...attributesToJson(span.flatAttributes),
      },
      status: { code: span.statusCode, message: span.statusMessage === '' ? undefined : span.statusMessage },
      events: (span.eventRecords ?? []).map((event) => ({
        name: event.name,
        time: hrTime(unixNano(event.timeMs, context)),
        attributes: attributesToJson(event.flatAttributes),
        droppedAttributesCount: event.droppedAttributesCount,
      })),
      links: (span.linkRecords ?? []).map((link) => ({
        context: {
          traceId: link.traceId,
          spanId: link.spanId,
          traceFlags: link.traceFlags,
          isRemote: link.isRemote,
          traceState: link.traceStateText === '' ? undefined : link.traceStateText,
        },
        attributes: attributesToJson(link.flatAttributes),
        droppedAttributesCount: link.droppedAttributesCount,
      })),
      resource: { attributes: context.resource },
      instrumentationScope: {
        name: span.scope.name,
        version: span.scope.version,
        schemaUrl: span.scope.schemaUrl === '' ? undefined : span.scope.schemaUrl,
      },
    },
    undefined,
    2,
  )
}

function attributesToJson(flat: FlatAttributes = []): Record<string, unknown> {
  const entries: [string, unknown][] = []
  for (let index = 0; index < flat.length; index += 2)
    entries.push([String(flat[index]), jsonValue(flat[index + 1])])
  return Object.fromEntries(entries)
}

/** JSON knows no NaN and no infinity, and would make null of them. */
function jsonValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(jsonValue)
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}

function unixNano(timeMs: number, { originUnixNano }: SpanJsonContext): bigint {
  return originUnixNano + BigInt(Math.round(timeMs * 1e6))
}

function hrTime(nano: bigint): [number, number] {
  return [Number(nano / 1_000_000_000n), Number(nano % 1_000_000_000n)]
}
