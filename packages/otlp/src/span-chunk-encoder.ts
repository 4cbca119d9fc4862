import { ChunkEncoder } from './chunk-encoder.ts'
import { hexId } from './hex-id.ts'
import type { AttributeBlock, EventRecord, LinkRecord, SpanRecord } from './span-record.ts'
import { encodeMessage } from './wire-writer.ts'

/** Encodes ended spans: each chunk is an `ExportTraceServiceRequest`. */
export class SpanChunkEncoder extends ChunkEncoder<SpanRecord> {
  protected override writeItem(at: number, span: SpanRecord): number {
    const writer = this.writer
    let p = this.#identity(at, span)
    if (span.attributeBlock !== undefined) p = writer.raw(p, encodedBlock(span.attributeBlock))
    p = writer.attributes(p, 0x4a, span.flatAttributes)
    if (span.droppedAttributesCount > 0) p = writer.uint(p, 0x50, span.droppedAttributesCount)
    if (span.eventRecords !== undefined) p = this.#events(p, span.eventRecords)
    if (span.droppedEventsCount > 0) p = writer.uint(p, 0x60, span.droppedEventsCount)
    if (span.linkRecords !== undefined) p = this.#links(p, span.linkRecords)
    if (span.droppedLinksCount > 0) p = writer.uint(p, 0x70, span.droppedLinksCount)
    return span.statusCode !== 0 || span.statusMessage !== '' ? this.#status(p, span) : p
  }

  /** Ids, flags, name, kind and times: the fields that every span has. */
  #identity(at: number, span: SpanRecord): number {
    const writer = this.writer
    writer.require(at, fixedFieldsSizeBytes)
    const bytes = writer.bytes
    bytes[at] = 0x0a
    bytes[at + 1] = 16
    let p = word(bytes, at + 2, span.traceId0)
    p = word(bytes, p, span.traceId1)
    p = word(bytes, p, span.traceId2)
    p = word(bytes, p, span.traceId3)
    p = spanId(bytes, p, 0x12, span.spanId0, span.spanId1)
    if ((span.parentSpanId0 | span.parentSpanId1) !== 0) {
      p = spanId(bytes, p, 0x22, span.parentSpanId0, span.parentSpanId1)
    }
    bytes[p] = 0x30
    bytes[p + 1] = span.otlpKind & 127
    bytes[p + 2] = 0x39
    p = this.time(p + 3, span.startTimeMs)
    bytes[p] = 0x41
    p = this.time(p + 1, span.endTimeMs)
    bytes[p] = 0x85
    bytes[p + 1] = 0x01
    p = flags(bytes, p + 2, span.traceFlags, span.parentIsRemote)
    if (span.traceStateText !== '') p = writer.string(p, 0x1a, span.traceStateText)
    return writer.string(p, 0x2a, span.name)
  }

  #events(at: number, events: readonly EventRecord[]): number {
    const writer = this.writer
    let p = at
    for (const event of events) {
      const bodyAt = writer.open(p, 0x5a)
      writer.require(bodyAt, 9)
      writer.bytes[bodyAt] = 0x09
      p = writer.string(this.time(bodyAt + 1, event.timeMs), 0x12, event.name)
      p = writer.attributes(p, 0x1a, event.flatAttributes)
      if (event.droppedAttributesCount > 0) p = writer.uint(p, 0x20, event.droppedAttributesCount)
      p = writer.close(bodyAt, p)
    }
    return p
  }

  #links(at: number, links: readonly LinkRecord[]): number {
    const writer = this.writer
    let p = at
    for (const link of links) {
      const bodyAt = writer.open(p, 0x6a)
      writer.require(bodyAt, 33)
      const bytes = writer.bytes
      p = hexId(bytes, hexId(bytes, bodyAt, 0x0a, link.traceId, 16), 0x12, link.spanId, 8)
      bytes[p] = 0x35
      p = flags(bytes, p + 1, link.traceFlags, link.isRemote)
      if (link.traceStateText !== '') p = writer.string(p, 0x1a, link.traceStateText)
      p = writer.attributes(p, 0x22, link.flatAttributes)
      if (link.droppedAttributesCount > 0) p = writer.uint(p, 0x28, link.droppedAttributesCount)
      p = writer.close(bodyAt, p)
    }
    return p
  }

  #status(at: number, span: SpanRecord): number {
    const writer = this.writer
    const bodyAt = writer.open(at, 0x7a)
    const p = span.statusMessage === '' ? bodyAt : writer.string(bodyAt, 0x12, span.statusMessage)
    return writer.close(bodyAt, writer.uint(p, 0x18, span.statusCode & 127))
  }
}

/** Trace id 18, span id 10, parent 10, kind 2, times 18, flags 6. */
const fixedFieldsSizeBytes = 64

function encodedBlock(block: AttributeBlock): Uint8Array {
  block.encoded ??= encodeMessage((writer) => writer.attributes(0, 0x4a, block.entries))
  return block.encoded
}

function word(bytes: Uint8Array, at: number, value: number): number {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
  return at + 4
}

function spanId(bytes: Uint8Array, at: number, tag: number, id0: number, id1: number): number {
  bytes[at] = tag
  bytes[at + 1] = 8
  return word(bytes, word(bytes, at + 2, id0), id1)
}

/** Bit 8 says that bit 9 means something, bit 9 that the parent (or the link's span) is in another process. */
function flags(bytes: Uint8Array, at: number, traceFlags: number, isRemote: boolean): number {
  bytes[at] = traceFlags
  bytes[at + 1] = isRemote ? 3 : 1
  bytes[at + 2] = 0
  bytes[at + 3] = 0
  return at + 4
}
