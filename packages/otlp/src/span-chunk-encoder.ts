import { OtlpError } from './otlp-error.ts'
import type {
  AttributeBlock,
  AttributeValue,
  EventRecord,
  LinkRecord,
  ScopeRecord,
  SpanRecord,
} from './span-record.ts'
import { encodeMessage, noRoom, padded4, WireWriter } from './wire-writer.ts'

/** What a SpanChunkEncoder takes; all optional. A size out of range throws an OtlpError. */
export interface SpanChunkEncoderOptions {
  /** The resource's attributes; entries whose value is undefined are left out. */
  readonly resource?: Readonly<Record<string, AttributeValue | undefined>>
  readonly resourceSchemaUrl?: string
  /** What the span times of SpanRecord count from. Default 0n: times are unix milliseconds. */
  readonly originUnixNano?: bigint
  /** Size of the buffers that the encoder makes itself. Default 256 KiB. */
  readonly chunkSizeBytes?: number
  /**
   * A buffer grows up to this for one span that alone is larger than `chunkSizeBytes`; a span beyond it is refused as
   * 'too-large'. Default 4 MiB, the message size that gRPC receivers take by default. At most 64 MiB.
   */
  readonly chunkSizeBytesMax?: number
  /** Spans per chunk; with one more, `add` returns 'full'. Default 2048. */
  readonly chunkItemsMax?: number
}

/** What became of a span; only after 'ok' is it in the chunk. */
export type AddItemResult = 'ok' | 'full' | 'too-large'

/**
 * Encodes ended spans one by one straight into a preallocated buffer, which at every moment holds one chunk: a valid
 * protobuf `ExportTraceServiceRequest` once `finish` has been called. The bytes of several finished chunks one behind
 * the other are again a valid request, since `resource_spans` is a repeated field.
 *
 * A refused span leaves the chunk as it was. Nothing is kept of a span after `add` has returned.
 */
export class SpanChunkEncoder {
  readonly #writer: WireWriter
  readonly #header: Uint8Array
  readonly #scopeHeaders = new WeakMap<ScopeRecord, Uint8Array>()
  readonly #chunkSizeBytes: number
  readonly #chunkSizeBytesMax: number
  readonly #chunkItemsMax: number
  #end = 0
  #itemCount = 0
  /** Where the four length bytes of the open ScopeSpans are; 0: none is open. */
  #scopeLengthAt = 0
  #scope: ScopeRecord | undefined
  #originUnixNano = 0n
  #originLow = 0
  #originHigh = 0

  constructor(options: SpanChunkEncoderOptions = {}) {
    this.#chunkSizeBytes = sizeOption('chunkSizeBytes', options.chunkSizeBytes ?? 256 * 1024)
    this.#chunkSizeBytesMax = sizeOption(
      'chunkSizeBytesMax',
      options.chunkSizeBytesMax ?? Math.max(4 * 1024 * 1024, this.#chunkSizeBytes),
    )
    this.#chunkItemsMax = options.chunkItemsMax ?? 2048
    this.#writer = new WireWriter(noBytes)
    this.#header = encodeHeader(options.resource ?? {}, options.resourceSchemaUrl ?? '')
    this.originUnixNano = options.originUnixNano ?? 0n
  }

  get originUnixNano(): bigint {
    return this.#originUnixNano
  }

  /** Spans added from now on count from here; those in the chunk keep their times. */
  set originUnixNano(value: bigint) {
    this.#originUnixNano = value
    this.#originLow = Number(value & 0xffffffffn)
    this.#originHigh = Number(value >> 32n)
  }

  get itemCount(): number {
    return this.#itemCount
  }

  /** Size that `finish` would return; 0 while no span is in. */
  get sizeBytes(): number {
    return this.#itemCount === 0 ? 0 : this.#end
  }

  /**
   * 'full': the span is not in; call `finish`, `attach` and `add` it again, which then never says 'full'.
   * 'too-large': it fits in no chunk within `chunkSizeBytesMax`; drop it.
   */
  add(span: SpanRecord): AddItemResult {
    if (this.#itemCount >= this.#chunkItemsMax) return 'full'
    if (this.#writer.bytes.length === 0) this.attach(new ArrayBuffer(this.#chunkSizeBytes))
    for (;;) {
      try {
        this.#write(span)
        return 'ok'
      } catch (error) {
        if (error !== noRoom) throw error
        if (this.#itemCount > 0) return 'full'
        if (!this.#grow()) return 'too-large'
      }
    }
  }

  /**
   * The chunk, as a view of the buffer's used part. The buffer is the caller's from here on (to transfer it to a thread,
   * for one); the encoder makes a new one at the next `add`, unless it gets one by `attach`. Empty when no span is in.
   */
  finish(): Uint8Array {
    if (this.#itemCount === 0) return noBytes
    const bytes = this.#writer.bytes
    if (this.#scopeLengthAt !== 0) padded4(bytes, this.#scopeLengthAt, this.#end - this.#scopeLengthAt - 4)
    padded4(bytes, 1, this.#end - 5)
    const chunk = bytes.subarray(0, this.#end)
    this.#writer.bytes = noBytes
    this.#itemCount = 0
    this.#end = 0
    return chunk
  }

  /** Goes on in `buffer`, which belongs to the encoder until `finish`. Spans that were not finished are discarded. */
  attach(buffer: ArrayBuffer): void {
    const headerSize = this.#header.length
    const sizeBytes = Math.max(this.#chunkSizeBytes, headerSize)
    const bytes = new Uint8Array(buffer.byteLength >= headerSize ? buffer : new ArrayBuffer(sizeBytes))
    bytes.set(this.#header)
    this.#writer.bytes = bytes
    this.#end = headerSize
    this.#itemCount = 0
    this.#scope = undefined
    this.#scopeLengthAt = 0
  }

  #grow(): boolean {
    const sizeBytes = Math.min(this.#writer.bytes.length * 2, this.#chunkSizeBytesMax)
    if (sizeBytes <= this.#writer.bytes.length) return false
    this.attach(new ArrayBuffer(sizeBytes))
    return true
  }

  /** Throws noRoom. State changes only in the last lines, when the span is completely in the buffer. */
  #write(span: SpanRecord): void {
    const writer = this.#writer
    let p = this.#end
    let scopeLengthAt = this.#scopeLengthAt
    const sameScope = span.scope === this.#scope
    if (!sameScope) {
      const scopeHeader = this.#scopeHeaders.get(span.scope) ?? this.#encodeScope(span.scope)
      scopeLengthAt = p + 1
      p = writer.raw(p, scopeHeader)
    }
    p = writer.open(p, 0x12)
    const bodyAt = p
    p = this.#identity(p, span)
    if (span.attributeBlock !== undefined) p = writer.raw(p, encodedBlock(span.attributeBlock))
    p = writer.attributes(p, 0x4a, span.flatAttributes)
    if (span.droppedAttributesCount > 0) p = writer.uint(p, 0x50, span.droppedAttributesCount)
    if (span.eventRecords !== undefined) p = this.#events(p, span.eventRecords)
    if (span.droppedEventsCount > 0) p = writer.uint(p, 0x60, span.droppedEventsCount)
    if (span.linkRecords !== undefined) p = this.#links(p, span.linkRecords)
    if (span.droppedLinksCount > 0) p = writer.uint(p, 0x70, span.droppedLinksCount)
    if (span.statusCode !== 0 || span.statusMessage !== '') p = this.#status(p, span)
    p = writer.close(bodyAt, p)
    if (!sameScope) {
      if (this.#scopeLengthAt !== 0) {
        padded4(writer.bytes, this.#scopeLengthAt, this.#end - this.#scopeLengthAt - 4)
      }
      this.#scope = span.scope
      this.#scopeLengthAt = scopeLengthAt
    }
    this.#end = p
    this.#itemCount++
  }

  /** Ids, flags, name, kind and times: the fields that every span has. */
  #identity(at: number, span: SpanRecord): number {
    const writer = this.#writer
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
    p = this.#time(p + 3, span.startTimeMs)
    bytes[p] = 0x41
    p = this.#time(p + 1, span.endTimeMs)
    bytes[p] = 0x85
    bytes[p + 1] = 0x01
    p = flags(bytes, p + 2, span.traceFlags, span.parentIsRemote)
    if (span.traceStateText !== '') p = writer.string(p, 0x1a, span.traceStateText)
    return writer.string(p, 0x2a, span.name)
  }

  #events(at: number, events: readonly EventRecord[]): number {
    const writer = this.#writer
    let p = at
    for (const event of events) {
      const bodyAt = writer.open(p, 0x5a)
      writer.require(bodyAt, 9)
      writer.bytes[bodyAt] = 0x09
      p = writer.string(this.#time(bodyAt + 1, event.timeMs), 0x12, event.name)
      p = writer.attributes(p, 0x1a, event.flatAttributes)
      if (event.droppedAttributesCount > 0) p = writer.uint(p, 0x20, event.droppedAttributesCount)
      p = writer.close(bodyAt, p)
    }
    return p
  }

  #links(at: number, links: readonly LinkRecord[]): number {
    const writer = this.#writer
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
    const writer = this.#writer
    const bodyAt = writer.open(at, 0x7a)
    const p = span.statusMessage === '' ? bodyAt : writer.string(bodyAt, 0x12, span.statusMessage)
    return writer.close(bodyAt, writer.uint(p, 0x18, span.statusCode & 127))
  }

  /** Origin plus milliseconds, as a 64-bit integer in two exact halves: doubles cannot hold unix nanoseconds. */
  #time(at: number, ms: number): number {
    const bytes = this.#writer.bytes
    const nanos = Math.round(ms * 1e6)
    let high = Math.floor(nanos / 0x100000000)
    let low = this.#originLow + (nanos - high * 0x100000000)
    if (low >= 0x100000000) {
      low -= 0x100000000
      high++
    }
    high = (high + this.#originHigh) >>> 0
    low >>>= 0
    bytes[at] = low
    bytes[at + 1] = low >>> 8
    bytes[at + 2] = low >>> 16
    bytes[at + 3] = low >>> 24
    bytes[at + 4] = high
    bytes[at + 5] = high >>> 8
    bytes[at + 6] = high >>> 16
    bytes[at + 7] = high >>> 24
    return at + 8
  }

  /** The ScopeSpans field up to its first span. The schema URL may stand before the spans: protobuf fields have no order. */
  #encodeScope(scope: ScopeRecord): Uint8Array {
    const encoded = encodeMessage((writer) => {
      const scopeAt = writer.open(5, 0x0a)
      let p = scopeAt
      if (scope.name !== '') p = writer.string(p, 0x0a, scope.name)
      if (scope.version !== '') p = writer.string(p, 0x12, scope.version)
      p = writer.close(scopeAt, writer.attributes(p, 0x1a, scope.flatAttributes))
      if (scope.schemaUrl !== '') p = writer.string(p, 0x1a, scope.schemaUrl)
      return p
    })
    encoded[0] = 0x12
    this.#scopeHeaders.set(scope, encoded)
    return encoded
  }
}

const noBytes = new Uint8Array(0)
/** Trace id 18, span id 10, parent 10, kind 2, times 18, flags 6. */
const fixedFieldsSizeBytes = 64

function encodeHeader(
  resource: Readonly<Record<string, AttributeValue | undefined>>,
  schemaUrl: string,
): Uint8Array {
  const flat: (string | AttributeValue)[] = []
  for (const [key, value] of Object.entries(resource)) if (value !== undefined) flat.push(key, value)
  const header = encodeMessage((writer) => {
    const resourceAt = writer.open(5, 0x0a)
    const p = writer.close(resourceAt, writer.attributes(resourceAt, 0x0a, flat))
    return schemaUrl === '' ? p : writer.string(p, 0x1a, schemaUrl)
  })
  header[0] = 0x0a
  return header
}

function encodedBlock(block: AttributeBlock): Uint8Array {
  block.encoded ??= encodeMessage((writer) => writer.attributes(0, 0x4a, block.entries))
  return block.encoded
}

const chunkSizeBytesLimit = 64 * 1024 * 1024

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

/** An id that is not hex of the right length is written as zeros, which receivers take for "invalid". */
function hexId(bytes: Uint8Array, at: number, tag: number, hex: string, sizeBytes: number): number {
  bytes[at] = tag
  bytes[at + 1] = sizeBytes
  const valid = hex.length === sizeBytes * 2
  for (let i = 0; i < sizeBytes; i++) {
    bytes[at + 2 + i] = valid ? Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16) : 0
  }
  return at + 2 + sizeBytes
}

function sizeOption(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1024 && value <= chunkSizeBytesLimit) return value
  const allowed = `an integer from 1024 to ${chunkSizeBytesLimit}`
  throw new OtlpError('invalid_option', `${name}: got ${value}; allowed: ${allowed}`)
}
