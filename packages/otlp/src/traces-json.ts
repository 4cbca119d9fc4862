import { attempt, type Decoded, type DecodeLimits } from './decode.ts'
import { type JsonReader, jsonReader } from './json-reader.ts'
import { attributesJson, type Json, orAbsent, resourceJson, scopeJson } from './json-writer.ts'
import type {
  DecodedEvent,
  DecodedLink,
  DecodedResourceSpans,
  DecodedScopeSpans,
  DecodedSpan,
  DecodedSpanStatus,
  TracesData,
} from './model.ts'
import { parentId, unsetStatus } from './traces-protobuf.ts'

/** Decodes OTLP/JSON traces, from text or from an object that JSON.parse made. Never throws. */
export function decodeTracesJson(input: unknown, limits: DecodeLimits = {}): Decoded<TracesData> {
  return attempt(() => ({
    resourceSpans: jsonReader(input, limits).list('resourceSpans', readResourceSpans),
  }))
}

/** OTLP/JSON text. */
export function encodeTracesJson(data: TracesData): string {
  return JSON.stringify({ resourceSpans: data.resourceSpans.map(resourceSpansJson) })
}

function readResourceSpans(reader: JsonReader): DecodedResourceSpans {
  return {
    resource: reader.resource(),
    schemaUrl: reader.string('schemaUrl'),
    scopeSpans: reader.list('scopeSpans', readScopeSpans),
  }
}

function readScopeSpans(reader: JsonReader): DecodedScopeSpans {
  return {
    scope: reader.scope(),
    schemaUrl: reader.string('schemaUrl'),
    spans: reader.list('spans', readSpan),
  }
}

function readSpan(reader: JsonReader): DecodedSpan {
  const status = reader.child('status')
  return {
    traceId: reader.id('traceId', 16),
    spanId: reader.id('spanId', 8),
    parentSpanId: parentId(reader.id('parentSpanId', 8)),
    traceState: reader.string('traceState'),
    flags: reader.number('flags') >>> 0,
    name: reader.string('name'),
    kind: reader.number('kind'),
    startTimeUnixNano: reader.uint64('startTimeUnixNano'),
    endTimeUnixNano: reader.uint64('endTimeUnixNano'),
    attributes: reader.attributes(),
    droppedAttributesCount: reader.number('droppedAttributesCount'),
    events: reader.list('events', readEvent),
    droppedEventsCount: reader.number('droppedEventsCount'),
    links: reader.list('links', readLink),
    droppedLinksCount: reader.number('droppedLinksCount'),
    status: status === undefined ? unsetStatus : readStatus(status),
  }
}

function readStatus(reader: JsonReader): DecodedSpanStatus {
  return { code: reader.number('code'), message: reader.string('message') }
}

function readEvent(reader: JsonReader): DecodedEvent {
  return {
    timeUnixNano: reader.uint64('timeUnixNano'),
    name: reader.string('name'),
    attributes: reader.attributes(),
    droppedAttributesCount: reader.number('droppedAttributesCount'),
  }
}

function readLink(reader: JsonReader): DecodedLink {
  return {
    traceId: reader.id('traceId', 16),
    spanId: reader.id('spanId', 8),
    traceState: reader.string('traceState'),
    flags: reader.number('flags') >>> 0,
    attributes: reader.attributes(),
    droppedAttributesCount: reader.number('droppedAttributesCount'),
  }
}

function resourceSpansJson(data: DecodedResourceSpans): Json {
  return {
    resource: resourceJson(data.resource),
    scopeSpans: data.scopeSpans.map((scopeSpans) => ({
      scope: scopeJson(scopeSpans.scope),
      spans: scopeSpans.spans.map(spanJson),
      schemaUrl: orAbsent(scopeSpans.schemaUrl),
    })),
    schemaUrl: orAbsent(data.schemaUrl),
  }
}

function spanJson(span: DecodedSpan): Json {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: orAbsent(span.parentSpanId),
    traceState: orAbsent(span.traceState),
    flags: orAbsent(span.flags),
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: String(span.startTimeUnixNano),
    endTimeUnixNano: String(span.endTimeUnixNano),
    attributes: attributesJson(span.attributes),
    droppedAttributesCount: orAbsent(span.droppedAttributesCount),
    events: span.events.length === 0 ? undefined : span.events.map(eventJson),
    droppedEventsCount: orAbsent(span.droppedEventsCount),
    links: span.links.length === 0 ? undefined : span.links.map(linkJson),
    droppedLinksCount: orAbsent(span.droppedLinksCount),
    status: { code: orAbsent(span.status.code), message: orAbsent(span.status.message) },
  }
}

function eventJson(event: DecodedEvent): Json {
  return {
    timeUnixNano: String(event.timeUnixNano),
    name: event.name,
    attributes: attributesJson(event.attributes),
    droppedAttributesCount: orAbsent(event.droppedAttributesCount),
  }
}

function linkJson(link: DecodedLink): Json {
  return {
    traceId: link.traceId,
    spanId: link.spanId,
    traceState: orAbsent(link.traceState),
    flags: orAbsent(link.flags),
    attributes: attributesJson(link.attributes),
    droppedAttributesCount: orAbsent(link.droppedAttributesCount),
  }
}
