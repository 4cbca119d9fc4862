import type { LogRecord } from '../log-record.ts'
import type { DecodedKeyValue, DecodedLogRecord, DecodedScope, DecodedSpan, DecodedValue } from '../model.ts'
import type { ScopeRecord, SpanRecord } from '../span-record.ts'

/** What a receiver must read for a SpanRecord, worked out the slow and obvious way: bigint and string arithmetic. */
export function expectedSpan(span: SpanRecord, originUnixNano: bigint): DecodedSpan {
  const block = span.attributeBlock === undefined ? [] : expectedAttributes(span.attributeBlock.entries)
  return {
    traceId: hex(span.traceId0, span.traceId1, span.traceId2, span.traceId3),
    spanId: hex(span.spanId0, span.spanId1),
    parentSpanId:
      (span.parentSpanId0 | span.parentSpanId1) === 0 ? '' : hex(span.parentSpanId0, span.parentSpanId1),
    traceState: wellFormed(span.traceStateText),
    flags: span.traceFlags + (span.parentIsRemote ? 0x300 : 0x100),
    name: wellFormed(span.name),
    kind: span.otlpKind,
    startTimeUnixNano: time(span.startTimeMs, originUnixNano),
    endTimeUnixNano: time(span.endTimeMs, originUnixNano),
    attributes: [...block, ...expectedAttributes(span.flatAttributes)],
    droppedAttributesCount: span.droppedAttributesCount,
    events: (span.eventRecords ?? []).map((event) => ({
      timeUnixNano: time(event.timeMs, originUnixNano),
      name: wellFormed(event.name),
      attributes: expectedAttributes(event.flatAttributes),
      droppedAttributesCount: event.droppedAttributesCount,
    })),
    droppedEventsCount: span.droppedEventsCount,
    links: (span.linkRecords ?? []).map((link) => ({
      traceId: link.traceId,
      spanId: link.spanId,
      traceState: wellFormed(link.traceStateText),
      flags: link.traceFlags + (link.isRemote ? 0x300 : 0x100),
      attributes: expectedAttributes(link.flatAttributes),
      droppedAttributesCount: link.droppedAttributesCount,
    })),
    droppedLinksCount: span.droppedLinksCount,
    status: { code: span.statusCode, message: wellFormed(span.statusMessage) },
  }
}

export function expectedLogRecord(record: LogRecord, originUnixNano: bigint): DecodedLogRecord {
  const isInSpan = record.traceId !== ''
  return {
    timeUnixNano: time(record.timeMs, originUnixNano),
    observedTimeUnixNano: time(record.observedTimeMs, originUnixNano),
    severityNumber: record.severityNumber,
    severityText: wellFormed(record.severityText),
    body: expectedValue(record.body),
    attributes: expectedAttributes(record.flatAttributes),
    droppedAttributesCount: record.droppedAttributesCount,
    flags: isInSpan ? record.traceFlags : 0,
    traceId: record.traceId,
    spanId: isInSpan ? record.spanId : '',
    eventName: wellFormed(record.eventName),
  }
}

export function expectedScope(scope: ScopeRecord): DecodedScope {
  return {
    name: wellFormed(scope.name),
    version: wellFormed(scope.version),
    attributes: expectedAttributes(scope.flatAttributes),
    droppedAttributesCount: 0,
  }
}

export function expectedAttributes(flat: readonly unknown[]): DecodedKeyValue[] {
  const attributes: DecodedKeyValue[] = []
  for (let i = 0; i < flat.length; i += 2) {
    attributes.push({ key: wellFormed(String(flat[i])), value: expectedValue(flat[i + 1]) })
  }
  return attributes
}

function expectedValue(value: unknown): DecodedValue {
  if (typeof value === 'string') return wellFormed(value)
  if (Array.isArray(value)) return value.map(expectedValue)
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
    return { entries: entries.map(([key, entry]) => ({ key: wellFormed(key), value: expectedValue(entry) })) }
  }
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value
  // An int64 has no negative zero.
  if (typeof value === 'number') return value === 0 ? 0 : value
  return typeof value === 'boolean' ? value : null
}

/** UTF-8 cannot carry lone surrogates: both ends see U+FFFD. */
export function wellFormed(text: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text))
}

function hex(...words: readonly number[]): string {
  return words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

function time(ms: number, originUnixNano: bigint): bigint {
  return BigInt.asUintN(64, originUnixNano + BigInt(Math.round(ms * 1e6)))
}
