import type { Decoded, DecodeLimits } from './decode.ts'
import type {
  DecodedEvent,
  DecodedKeyValue,
  DecodedLink,
  DecodedResourceSpans,
  DecodedScopeSpans,
  DecodedSpan,
  DecodedSpanStatus,
  TracesData,
} from './model.ts'
import {
  emptyResource,
  emptyScope,
  readKeyValue,
  readResource,
  readScope,
  writeCount,
  writeFixed32,
  writeFixed64,
  writeId,
  writeKeyValues,
  writeResource,
  writeScope,
  writeText,
} from './protobuf-common.ts'
import { decodeMessage, type WireReader } from './wire-reader.ts'
import { encodeMessage, type WireWriter } from './wire-writer.ts'

/** Decodes a protobuf `ExportTraceServiceRequest` (`TracesData` has the same bytes). Never throws. */
export function decodeTraces(bytes: Uint8Array, limits: DecodeLimits = {}): Decoded<TracesData> {
  return decodeMessage(bytes, limits, readTraces)
}

/** Encodes a protobuf `ExportTraceServiceRequest`. For spans on their way out of a tracer use SpanChunkEncoder. */
export function encodeTraces(data: TracesData): Uint8Array {
  return encodeMessage((writer) => {
    let p = 0
    for (const resourceSpans of data.resourceSpans) p = writeResourceSpans(writer, p, resourceSpans)
    return p
  })
}

function readTraces(reader: WireReader): TracesData {
  const resourceSpans: DecodedResourceSpans[] = []
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) resourceSpans.push(reader.message(readResourceSpans))
    else reader.skip(tag)
  }
  return { resourceSpans }
}

function readResourceSpans(reader: WireReader): DecodedResourceSpans {
  const scopeSpans: DecodedScopeSpans[] = []
  let resource = emptyResource
  let schemaUrl = ''
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) resource = reader.message(readResource)
    else if (tag === 0x12) scopeSpans.push(reader.message(readScopeSpans))
    else if (tag === 0x1a) schemaUrl = reader.string()
    else reader.skip(tag)
  }
  return { resource, schemaUrl, scopeSpans }
}

function readScopeSpans(reader: WireReader): DecodedScopeSpans {
  const spans: DecodedSpan[] = []
  let scope = emptyScope
  let schemaUrl = ''
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) scope = reader.message(readScope)
    else if (tag === 0x12) spans.push(reader.message(readSpan))
    else if (tag === 0x1a) schemaUrl = reader.string()
    else reader.skip(tag)
  }
  return { scope, schemaUrl, spans }
}

type Draft<T> = { -readonly [K in keyof T]: T[K] }

function readSpan(reader: WireReader): DecodedSpan {
  const attributes: DecodedKeyValue[] = []
  const events: DecodedEvent[] = []
  const links: DecodedLink[] = []
  const span: Draft<DecodedSpan> = {
    traceId: '',
    spanId: '',
    parentSpanId: '',
    traceState: '',
    flags: 0,
    name: '',
    kind: 0,
    startTimeUnixNano: 0n,
    endTimeUnixNano: 0n,
    attributes,
    droppedAttributesCount: 0,
    events,
    droppedEventsCount: 0,
    links,
    droppedLinksCount: 0,
    status: unsetStatus,
  }
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x4a) attributes.push(readKeyValue(reader))
    else if (tag === 0x5a) events.push(reader.message(readEvent))
    else if (tag === 0x6a) links.push(reader.message(readLink))
    else readSpanField(reader, tag, span)
  }
  return span
}

function readSpanField(reader: WireReader, tag: number, span: Draft<DecodedSpan>): void {
  // One case a line: this is the message of trace.proto as a table.
  switch (tag) {
    case 0x0a:
      span.traceId = reader.id(16)
      return
    case 0x12:
      span.spanId = reader.id(8)
      return
    case 0x1a:
      span.traceState = reader.string()
      return
    case 0x22:
      span.parentSpanId = parentId(reader.id(8))
      return
    case 0x2a:
      span.name = reader.string()
      return
    case 0x30:
      span.kind = reader.int32()
      return
    case 0x39:
      span.startTimeUnixNano = reader.fixed64()
      return
    case 0x41:
      span.endTimeUnixNano = reader.fixed64()
      return
    case 0x50:
      span.droppedAttributesCount = reader.uint32()
      return
    case 0x60:
      span.droppedEventsCount = reader.uint32()
      return
    case 0x70:
      span.droppedLinksCount = reader.uint32()
      return
    case 0x7a:
      span.status = reader.message(readSpanStatus)
      return
    case 0x85: // field 16, fixed32
      span.flags = reader.fixed32()
      return
    default:
      reader.skip(tag)
  }
}

export const unsetStatus: DecodedSpanStatus = { code: 0, message: '' }

/** Some senders write an absent parent as zeros. */
export function parentId(id: string): string {
  return id === '0000000000000000' ? '' : id
}

function readSpanStatus(reader: WireReader): DecodedSpanStatus {
  let code = 0
  let message = ''
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x12) message = reader.string()
    else if (tag === 0x18) code = reader.int32()
    else reader.skip(tag)
  }
  return { code, message }
}

function readEvent(reader: WireReader): DecodedEvent {
  const attributes: DecodedKeyValue[] = []
  let timeUnixNano = 0n
  let name = ''
  let droppedAttributesCount = 0
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x09) timeUnixNano = reader.fixed64()
    else if (tag === 0x12) name = reader.string()
    else if (tag === 0x1a) attributes.push(readKeyValue(reader))
    else if (tag === 0x20) droppedAttributesCount = reader.uint32()
    else reader.skip(tag)
  }
  return { timeUnixNano, name, attributes, droppedAttributesCount }
}

function readLink(reader: WireReader): DecodedLink {
  const attributes: DecodedKeyValue[] = []
  let traceId = ''
  let spanId = ''
  let traceState = ''
  let flags = 0
  let droppedAttributesCount = 0
  while (reader.more()) {
    const tag = reader.tag()
    if (tag === 0x0a) traceId = reader.id(16)
    else if (tag === 0x12) spanId = reader.id(8)
    else if (tag === 0x1a) traceState = reader.string()
    else if (tag === 0x22) attributes.push(readKeyValue(reader))
    else if (tag === 0x28) droppedAttributesCount = reader.uint32()
    else if (tag === 0x35) flags = reader.fixed32()
    else reader.skip(tag)
  }
  return { traceId, spanId, traceState, flags, attributes, droppedAttributesCount }
}

function writeResourceSpans(writer: WireWriter, at: number, data: DecodedResourceSpans): number {
  const bodyAt = writer.open(at, 0x0a)
  let p = writeResource(writer, bodyAt, data.resource)
  for (const scopeSpans of data.scopeSpans) {
    const scopeAt = writer.open(p, 0x12)
    p = writeScope(writer, scopeAt, scopeSpans.scope)
    for (const span of scopeSpans.spans) p = writeSpan(writer, p, span)
    p = writer.close(scopeAt, writeText(writer, p, 0x1a, scopeSpans.schemaUrl))
  }
  return writer.close(bodyAt, writeText(writer, p, 0x1a, data.schemaUrl))
}

function writeSpan(writer: WireWriter, at: number, span: DecodedSpan): number {
  const bodyAt = writer.open(at, 0x12)
  let p = writeId(writer, bodyAt, 0x0a, span.traceId)
  p = writeId(writer, p, 0x12, span.spanId)
  p = writeText(writer, p, 0x1a, span.traceState)
  p = writeId(writer, p, 0x22, span.parentSpanId)
  p = writeText(writer, p, 0x2a, span.name)
  p = writeCount(writer, p, 0x30, span.kind)
  p = writeFixed64(writer, p, 0x39, span.startTimeUnixNano)
  p = writeFixed64(writer, p, 0x41, span.endTimeUnixNano)
  p = writeKeyValues(writer, p, 0x4a, span.attributes)
  p = writeCount(writer, p, 0x50, span.droppedAttributesCount)
  for (const event of span.events) p = writeEvent(writer, p, event)
  p = writeCount(writer, p, 0x60, span.droppedEventsCount)
  for (const link of span.links) p = writeLink(writer, p, link)
  p = writeCount(writer, p, 0x70, span.droppedLinksCount)
  if (span.status.code !== 0 || span.status.message !== '') {
    const statusAt = writer.open(p, 0x7a)
    const codeAt = writeText(writer, statusAt, 0x12, span.status.message)
    p = writer.close(statusAt, writeCount(writer, codeAt, 0x18, span.status.code))
  }
  // Field 16 has a tag of two bytes.
  if (span.flags !== 0) p = writeFixed32(writer, writer.raw(p, flagsTag), span.flags)
  return writer.close(bodyAt, p)
}

const flagsTag = Uint8Array.of(0x85, 0x01)

function writeEvent(writer: WireWriter, at: number, event: DecodedEvent): number {
  const bodyAt = writer.open(at, 0x5a)
  let p = writeFixed64(writer, bodyAt, 0x09, event.timeUnixNano)
  p = writeText(writer, p, 0x12, event.name)
  p = writeKeyValues(writer, p, 0x1a, event.attributes)
  return writer.close(bodyAt, writeCount(writer, p, 0x20, event.droppedAttributesCount))
}

function writeLink(writer: WireWriter, at: number, link: DecodedLink): number {
  const bodyAt = writer.open(at, 0x6a)
  let p = writeId(writer, bodyAt, 0x0a, link.traceId)
  p = writeId(writer, p, 0x12, link.spanId)
  p = writeText(writer, p, 0x1a, link.traceState)
  p = writeKeyValues(writer, p, 0x22, link.attributes)
  p = writeCount(writer, p, 0x28, link.droppedAttributesCount)
  if (link.flags !== 0) p = writeFixed32(writer, writer.raw(p, linkFlagsTag), link.flags)
  return writer.close(bodyAt, p)
}

const linkFlagsTag = Uint8Array.of(0x35)
