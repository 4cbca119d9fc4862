import type {
  DecodedEvent,
  DecodedKeyValue,
  DecodedKeyValueList,
  DecodedLink,
  DecodedLogRecord,
  DecodedResource,
  DecodedScope,
  DecodedSpan,
  DecodedValue,
  LogsData,
  TracesData,
} from '@throughline/otlp'
import { limits } from '../limits.ts'
import type {
  Attributes,
  AttributeValue,
  LogRecord,
  Source,
  Span,
  SpanEvent,
  SpanKind,
  SpanLink,
  StatusCode,
} from '../model.ts'
import type { IngestBatch } from './ingest.ts'

/** Turns decoded traces into what the store takes, and counts what it cannot take. */
export function convertTraces(data: TracesData): IngestBatch {
  const spans: Span[] = []
  const rejects = new Rejects()
  for (const { resource, scopeSpans } of data.resourceSpans)
    for (const { scope, spans: decoded } of scopeSpans) {
      const source = toSource(resource, scope)
      for (const span of decoded) {
        const reason = spanFault(span)
        if (reason === undefined) spans.push(toSpan(span, source))
        else rejects.add(reason)
      }
    }
  return {
    signal: 'traces',
    spans,
    logs: [],
    rejectedCount: rejects.count,
    rejectReason: rejects.reason('spans'),
  }
}

/** Likewise for logs. A record outside any span is kept, but a trace never shows it. */
export function convertLogs(data: LogsData): IngestBatch {
  const logs: LogRecord[] = []
  const rejects = new Rejects()
  for (const { resource, scopeLogs } of data.resourceLogs)
    for (const { scope, logRecords } of scopeLogs) {
      const source = toSource(resource, scope)
      for (const record of logRecords) {
        const log = toLog(record, source)
        if (log === undefined) rejects.add('a time after the year 2262')
        else logs.push(log)
      }
    }
  return {
    signal: 'logs',
    spans: [],
    logs,
    rejectedCount: rejects.count,
    rejectReason: rejects.reason('log records'),
  }
}

/** Reasons with their counts, in the order in which they first came up. */
class Rejects {
  count = 0
  readonly #countByReason = new Map<string, number>()

  add(reason: string): void {
    this.count++
    this.#countByReason.set(reason, (this.#countByReason.get(reason) ?? 0) + 1)
  }

  reason(what: string): string {
    return [...this.#countByReason].map(([reason, count]) => `${count} ${what} with ${reason}`).join('; ')
  }
}

/** Nanoseconds are kept as signed 64-bit numbers, which end on 2262-04-11. */
const unixNanoMax = 2n ** 63n - 1n

function spanFault(span: DecodedSpan): string | undefined {
  // The decoder leaves ids of a wrong length empty.
  if (span.traceId === '' || /^0+$/.test(span.traceId)) return 'an invalid trace id'
  if (span.spanId === '' || /^0+$/.test(span.spanId)) return 'an invalid span id'
  if (span.startTimeUnixNano === 0n) return 'no start time'
  if (span.startTimeUnixNano > unixNanoMax || span.endTimeUnixNano > unixNanoMax)
    return 'a time after the year 2262'
  if (span.events.some((event) => event.timeUnixNano > unixNanoMax)) return 'an event after the year 2262'
  return roughSizeBytes(span) > limits.spanBytesMax ? `more than ${limits.spanBytesMax} bytes` : undefined
}

/** Counts the texts, which are what can be large. */
function roughSizeBytes(span: DecodedSpan): number {
  let sizeBytes = span.name.length + span.traceState.length + span.status.message.length
  sizeBytes += attributesSizeBytes(span.attributes)
  for (const event of span.events) sizeBytes += event.name.length + attributesSizeBytes(event.attributes)
  for (const link of span.links) sizeBytes += link.traceState.length + attributesSizeBytes(link.attributes)
  return sizeBytes
}

function attributesSizeBytes(attributes: readonly DecodedKeyValue[]): number {
  let sizeBytes = 0
  for (const { key, value } of attributes) sizeBytes += key.length + valueSizeBytes(value)
  return sizeBytes
}

function valueSizeBytes(value: DecodedValue): number {
  if (typeof value === 'string') return value.length
  if (typeof value !== 'object' || value === null) return 8
  if (value instanceof Uint8Array) return value.length
  if (isKeyValueList(value)) return attributesSizeBytes(value.entries)
  let sizeBytes = 0
  for (const element of value) sizeBytes += valueSizeBytes(element)
  return sizeBytes
}

/** Array.isArray does not narrow readonly arrays. */
const isKeyValueList = (value: readonly DecodedValue[] | DecodedKeyValueList): value is DecodedKeyValueList =>
  !Array.isArray(value)

function toSource(resource: DecodedResource, scope: DecodedScope): Source {
  const attributes = toAttributes(resource.attributes)
  const service = attributes['service.name']
  return {
    service: typeof service === 'string' && service !== '' ? service : 'unknown_service',
    resource: attributes,
    scopeName: scope.name,
    scopeVersion: scope.version,
    scopeAttributes: toAttributes(scope.attributes),
  }
}

function toSpan(span: DecodedSpan, source: Source): Span {
  const ended = toEndedSpan(span, source)
  const { attributes = {} } = ended
  switch (attributes[stateKey]) {
    case 'pending':
      return { ...ended, state: 'pending', endTimeUnixNano: seenOpenUnixNano(span, attributes[openMsKey]) }
    case 'interrupted': {
      const reason = attributes[interruptionKey]
      return { ...ended, state: 'interrupted', ...(typeof reason === 'string' && { interruption: reason }) }
    }
    default:
      return ended
  }
}

const stateKey = 'throughline.span.state'
const interruptionKey = 'throughline.span.interruption'
const openMsKey = 'throughline.span.open_ms'

/** By the sender's word how long it had been open, else by the last thing that is known to have happened in it. */
function seenOpenUnixNano(span: DecodedSpan, openMs: unknown): bigint {
  let seen = span.startTimeUnixNano
  if (typeof openMs === 'number' && openMs > 0 && openMs < openMsMax) seen += BigInt(Math.round(openMs * 1e6))
  for (const { timeUnixNano } of [...span.events, { timeUnixNano: span.endTimeUnixNano }])
    if (timeUnixNano > seen) seen = timeUnixNano
  return seen > unixNanoMax ? unixNanoMax : seen
}

/** A hundred years: more is nonsense, and might not fit. */
const openMsMax = 3.2e12

const toEndedSpan = (span: DecodedSpan, source: Source): Span => ({
  traceId: span.traceId,
  spanId: span.spanId,
  parentSpanId: span.parentSpanId,
  traceState: span.traceState,
  name: span.name,
  kind: (span.kind >= 0 && span.kind <= 5 ? span.kind : 0) as SpanKind,
  startTimeUnixNano: span.startTimeUnixNano,
  endTimeUnixNano: span.endTimeUnixNano,
  statusCode: (span.status.code === 1 || span.status.code === 2 ? span.status.code : 0) satisfies StatusCode,
  statusMessage: span.status.message,
  attributes: toAttributes(span.attributes),
  events: span.events.length === 0 ? noEvents : span.events.map(toEvent),
  links: span.links.length === 0 ? noLinks : span.links.map(toLink),
  droppedCount: span.droppedAttributesCount + span.droppedEventsCount + span.droppedLinksCount,
  source,
})

const noEvents: readonly SpanEvent[] = []
const noLinks: readonly SpanLink[] = []

const toEvent = (event: DecodedEvent): SpanEvent => ({
  timeUnixNano: event.timeUnixNano,
  name: event.name,
  attributes: toAttributes(event.attributes),
})

const toLink = (link: DecodedLink): SpanLink => ({
  traceId: link.traceId,
  spanId: link.spanId,
  attributes: toAttributes(link.attributes),
})

function toLog(record: DecodedLogRecord, source: Source): LogRecord | undefined {
  // https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-observedtimestamp
  const timeUnixNano = record.timeUnixNano === 0n ? record.observedTimeUnixNano : record.timeUnixNano
  if (timeUnixNano > unixNanoMax) return undefined
  return {
    traceId: record.traceId,
    spanId: record.spanId,
    timeUnixNano,
    severityNumber: record.severityNumber,
    severityText: record.severityText,
    body: toValue(record.body),
    attributes: toAttributes(record.attributes),
    source,
  }
}

/** The last of several equal keys counts. An ordinary object: one without a prototype takes JSON.stringify twice the time. */
function toAttributes(entries: readonly DecodedKeyValue[]): Attributes {
  const attributes: Record<string, AttributeValue> = {}
  for (const { key, value } of entries) {
    // Assigning this key would set the prototype.
    if (key === '__proto__') defineOwn(attributes, key, toValue(value))
    else attributes[key] = toValue(value)
  }
  return attributes
}

const defineOwn = (attributes: object, key: string, value: AttributeValue): object =>
  Object.defineProperty(attributes, key, { value, enumerable: true, configurable: true, writable: true })

/** As JSON can hold it: bytes become base64 text, and 64-bit integers that no double can hold become decimal text. */
function toValue(value: DecodedValue): AttributeValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'bigint':
      return String(value)
    default:
      if (value === null) return null
      if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
      if (isKeyValueList(value)) return toAttributes(value.entries)
      return value.map(toValue)
  }
}
