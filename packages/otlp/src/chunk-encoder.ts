import { OtlpError } from './otlp-error.ts'
import type { AttributeValue, ScopeRecord } from './span-record.ts'
import { encodeMessage, noRoom, padded4, WireWriter } from './wire-writer.ts'

/** What a chunk encoder takes; all optional. A size out of range throws an OtlpError. */
export interface ChunkEncoderOptions {
  /** The resource's attributes; entries whose value is undefined are left out. */
  readonly resource?: Readonly<Record<string, AttributeValue | undefined>>
  readonly resourceSchemaUrl?: string
  /** What the times of items count from. Default 0n: times are unix milliseconds. */
  readonly originUnixNano?: bigint
  /** Size of the buffers that the encoder makes itself. Default 256 KiB. */
  readonly chunkSizeBytes?: number
  /**
   * A buffer grows up to this for one item that alone is larger than `chunkSizeBytes`; an item beyond it is refused as
   * 'too-large'. Default 4 MiB, the message size that gRPC receivers take by default. At most 64 MiB.
   */
  readonly chunkSizeBytesMax?: number
  /** Items per chunk; with one more, `add` returns 'full'. Default 2048. */
  readonly chunkItemsMax?: number
  /** Makes the buffers, for example of memory that threads share. Default: an ArrayBuffer. */
  readonly createBuffer?: (sizeBytes: number) => ArrayBufferLike
}

/** What became of an item; only after 'ok' is it in the chunk. */
export type AddItemResult = 'ok' | 'full' | 'too-large'

/**
 * Encodes items of one signal one by one straight into a preallocated buffer, which at every moment holds one chunk: a
 * valid protobuf export request once `finish` has been called. The bytes of several finished chunks one behind the
 * other are again a valid request, since its only field (`resource_spans`, `resource_logs`) is a repeated one.
 *
 * Requests of all signals have the same frame (resource, then scopes, then items, under the same field numbers), so
 * that a signal adds only how one item is written.
 *
 * A refused item leaves the chunk as it was. Nothing is kept of an item after `add` has returned.
 */
export abstract class ChunkEncoder<Item extends { readonly scope: ScopeRecord }> {
  protected readonly writer: WireWriter
  readonly #header: Uint8Array
  readonly #scopeHeaders = new WeakMap<ScopeRecord, Uint8Array>()
  readonly #chunkSizeBytes: number
  readonly #chunkSizeBytesMax: number
  readonly #chunkItemsMax: number
  readonly #createBuffer: (sizeBytes: number) => ArrayBufferLike
  #end = 0
  #itemCount = 0
  /** Where the four length bytes of the open ScopeSpans are; 0: none is open. */
  #scopeLengthAt = 0
  #scope: ScopeRecord | undefined
  #originUnixNano = 0n
  #originLow = 0
  #originHigh = 0

  constructor(options: ChunkEncoderOptions = {}) {
    this.#chunkSizeBytes = sizeOption('chunkSizeBytes', options.chunkSizeBytes ?? 256 * 1024)
    this.#chunkSizeBytesMax = sizeOption(
      'chunkSizeBytesMax',
      options.chunkSizeBytesMax ?? Math.max(4 * 1024 * 1024, this.#chunkSizeBytes),
    )
    this.#chunkItemsMax = options.chunkItemsMax ?? 2048
    this.#createBuffer = options.createBuffer ?? ((sizeBytes) => new ArrayBuffer(sizeBytes))
    this.writer = new WireWriter(noBytes)
    this.#header = encodeHeader(options.resource ?? {}, options.resourceSchemaUrl ?? '')
    this.originUnixNano = options.originUnixNano ?? 0n
  }

  /** Writes the body of one item and returns the offset behind it; throws noRoom. Keeps no state. */
  protected abstract writeItem(at: number, item: Item): number

  get originUnixNano(): bigint {
    return this.#originUnixNano
  }

  /** Items added from now on count from here; those in the chunk keep their times. */
  set originUnixNano(value: bigint) {
    this.#originUnixNano = value
    this.#originLow = Number(value & 0xffffffffn)
    this.#originHigh = Number(value >> 32n)
  }

  /** What the open chunk is written into; others may read its first `sizeBytes`. Empty before the first item. */
  get bytes(): Uint8Array {
    return this.writer.bytes
  }

  get itemCount(): number {
    return this.#itemCount
  }

  /** Size that `finish` would return; 0 while no item is in. */
  get sizeBytes(): number {
    return this.#itemCount === 0 ? 0 : this.#end
  }

  /**
   * 'full': the item is not in; call `finish`, `attach` and `add` it again, which then never says 'full'.
   * 'too-large': it fits in no chunk within `chunkSizeBytesMax`; drop it.
   */
  add(item: Item): AddItemResult {
    if (this.#itemCount >= this.#chunkItemsMax) return 'full'
    if (this.writer.bytes.length === 0) this.attach(this.#createBuffer(this.#chunkSizeBytes))
    for (;;) {
      try {
        this.#write(item)
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
   * for one); the encoder makes a new one at the next `add`, unless it gets one by `attach`. Empty when no item is in.
   */
  finish(): Uint8Array {
    if (this.#itemCount === 0) return noBytes
    const bytes = this.writer.bytes
    if (this.#scopeLengthAt !== 0) padded4(bytes, this.#scopeLengthAt, this.#end - this.#scopeLengthAt - 4)
    padded4(bytes, 1, this.#end - 5)
    const chunk = bytes.subarray(0, this.#end)
    this.writer.bytes = noBytes
    this.#itemCount = 0
    this.#end = 0
    return chunk
  }

  /** Goes on in `buffer`, which belongs to the encoder until `finish`. Items that were not finished are discarded. */
  attach(buffer: ArrayBufferLike): void {
    const headerSize = this.#header.length
    const sizeBytes = Math.max(this.#chunkSizeBytes, headerSize)
    const bytes = new Uint8Array(buffer.byteLength >= headerSize ? buffer : this.#createBuffer(sizeBytes))
    bytes.set(this.#header)
    this.writer.bytes = bytes
    this.#end = headerSize
    this.#itemCount = 0
    this.#scope = undefined
    this.#scopeLengthAt = 0
  }

  #grow(): boolean {
    const sizeBytes = Math.min(this.writer.bytes.length * 2, this.#chunkSizeBytesMax)
    if (sizeBytes <= this.writer.bytes.length) return false
    this.attach(this.#createBuffer(sizeBytes))
    return true
  }

  /** Throws noRoom. State changes only in the last lines, when the item is completely in the buffer. */
  #write(item: Item): void {
    const writer = this.writer
    const { scope } = item
    let p = this.#end
    let scopeLengthAt = this.#scopeLengthAt
    const sameScope = scope === this.#scope
    if (!sameScope) {
      const scopeHeader = this.#scopeHeaders.get(scope) ?? this.#encodeScope(scope)
      scopeLengthAt = p + 1
      p = writer.raw(p, scopeHeader)
    }
    const bodyAt = writer.open(p, 0x12)
    p = writer.close(bodyAt, this.writeItem(bodyAt, item))
    if (!sameScope) {
      if (this.#scopeLengthAt !== 0) {
        padded4(writer.bytes, this.#scopeLengthAt, this.#end - this.#scopeLengthAt - 4)
      }
      this.#scope = scope
      this.#scopeLengthAt = scopeLengthAt
    }
    this.#end = p
    this.#itemCount++
  }

  /** Origin plus milliseconds, as a 64-bit integer in two exact halves: doubles cannot hold unix nanoseconds. */
  protected time(at: number, ms: number): number {
    const bytes = this.writer.bytes
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

  /** The field of a scope up to its first item. The schema URL may stand before the items: protobuf fields have no order. */
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
const chunkSizeBytesLimit = 64 * 1024 * 1024

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

function sizeOption(name: string, value: number): number {
  if (Number.isInteger(value) && value >= 1024 && value <= chunkSizeBytesLimit) return value
  const allowed = `an integer from 1024 to ${chunkSizeBytesLimit}`
  throw new OtlpError('invalid_option', `${name}: got ${value}; allowed: ${allowed}`)
}
