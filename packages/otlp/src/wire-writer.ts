import { Buffer } from 'node:buffer'
import type { FlatLogAttributes, LogValue } from './log-record.ts'
import type { FlatAttributes } from './span-record.ts'

/**
 * Writes protobuf fields into one fixed buffer. Every method takes the offset to write at and returns the offset after
 * what it wrote, so that the caller alone decides what becomes part of the message: a caller that gives up keeps its old
 * offset and the bytes behind it are never looked at again.
 *
 * A method that finds no room throws `noRoom`, one shared object without a stack, because a sentinel checked after
 * each of the thirty fields of a span costs more than one throw per chunk.
 */
export class WireWriter {
  bytes: Uint8Array
  /** One key costs one map lookup instead of one UTF-8 encoding. Bounded: strangers may choose attribute keys. */
  readonly #keys = new Map<string, Uint8Array>()
  readonly #recentKeys: string[] = Array.from({ length: recentKeysCount }, () => '')
  readonly #recentKeyBytes: Uint8Array[] = Array.from({ length: recentKeysCount }, () => emptyKey)

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** Attributes under field `tag`, each a KeyValue message. */
  attributes(at: number, tag: number, flat: FlatAttributes | FlatLogAttributes): number {
    let p = at
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const key = flat[i]
      if (typeof key !== 'string') continue
      // Spans of one kind have the same keys in the same places: then comparing two pointers replaces the map lookup.
      const place = i & (recentKeysCount - 1)
      const keyBytes =
        key === this.#recentKeys[place] ? this.#recentKeyBytes[place] : this.#keyBytes(key, place)
      p = this.#attribute(p, tag, keyBytes as Uint8Array, flat[i + 1])
    }
    return p
  }

  /** One KeyValue message. A value of no known type becomes an AnyValue with nothing in it: the key stays visible. */
  #attribute(at: number, tag: number, keyBytes: Uint8Array, value: LogValue): number {
    const keySize = keyBytes.length
    if (typeof value === 'string') {
      // Up to here both lengths take one byte, if the text is ASCII: nothing is measured beforehand or moved afterwards.
      if (keySize + value.length < shortAttributeMax) {
        const end = this.#shortString(at, tag, keyBytes, value)
        if (end !== 0) return end
      }
      return this.#longString(at, tag, keyBytes, value)
    }
    if (typeof value === 'object' && value !== null) return this.#nested(at, tag, keyBytes, value)
    if (at + keySize + 24 > this.bytes.length) throw noRoom
    const bytes = this.bytes
    // A key of 100 bytes or more makes the length longer than one byte: those take the way of moving the body.
    let p = at
    bytes[p] = tag
    const lengthAt = ++p
    p = copy(bytes, p + 1, keyBytes)
    bytes[p] = 0x12
    const end = this.#primitive(p + 2, value)
    bytes[p + 1] = end - p - 2
    const size = end - lengthAt - 1
    if (size < 128) {
      bytes[lengthAt] = size
      return end
    }
    return this.#widen(lengthAt, end)
  }

  /** A length-delimited string under `tag`. */
  string(at: number, tag: number, text: string): number {
    const bytes = this.bytes
    const length = text.length
    if (length < 100 && at + length + 2 <= bytes.length) {
      let i = 0
      for (; i < length; i++) {
        const code = text.charCodeAt(i)
        if (code > 127) break
        bytes[at + 2 + i] = code
      }
      if (i === length) {
        bytes[at] = tag
        bytes[at + 1] = length
        return at + 2 + length
      }
    }
    const size = Buffer.byteLength(text)
    this.require(at, size + 6)
    bytes[at] = tag
    return this.#utf8(varint(bytes, at + 1, size), text, size)
  }

  /** Bytes that are already encoded fields. */
  raw(at: number, encoded: Uint8Array): number {
    this.require(at, encoded.length)
    return copy(this.bytes, at, encoded)
  }

  /** Begins a nested message: leaves two bytes for its length. Give the returned offset minus 2 to `close`. */
  open(at: number, tag: number): number {
    this.require(at, 3)
    this.bytes[at] = tag
    return at + 3
  }

  /**
   * Ends the message whose body begins at `bodyAt`. Lengths under 16 KiB are a varint padded to two bytes, which every
   * protobuf parser accepts; a longer body is moved to make room for four.
   */
  close(bodyAt: number, end: number): number {
    const bytes = this.bytes
    const size = end - bodyAt
    if (size < 16384) {
      bytes[bodyAt - 2] = (size & 127) | 128
      bytes[bodyAt - 1] = size >>> 7
      return end
    }
    this.require(end, 2)
    bytes.copyWithin(bodyAt + 2, bodyAt, end)
    padded4(bytes, bodyAt - 2, size)
    return end + 2
  }

  uint(at: number, tag: number, value: number): number {
    this.require(at, 11)
    this.bytes[at] = tag
    return varint(this.bytes, at + 1, value)
  }

  require(at: number, sizeBytes: number): void {
    if (at + sizeBytes > this.bytes.length) throw noRoom
  }

  #shortString(at: number, tag: number, keyBytes: Uint8Array, text: string): number {
    const bytes = this.bytes
    const length = text.length
    if (at + keyBytes.length + length + 6 > bytes.length) throw noRoom
    const p = copy(bytes, at + 2, keyBytes)
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code > 127) return 0
      bytes[p + 4 + i] = code
    }
    bytes[at] = tag
    bytes[at + 1] = p + 2 + length - at
    bytes[p] = 0x12
    bytes[p + 1] = length + 2
    bytes[p + 2] = 0x0a
    bytes[p + 3] = length
    return p + 4 + length
  }

  #longString(at: number, tag: number, keyBytes: Uint8Array, text: string): number {
    const bytes = this.bytes
    const size = Buffer.byteLength(text)
    const anySize = 1 + varintSize(size) + size
    const pairSize = keyBytes.length + 1 + varintSize(anySize) + anySize
    this.require(at, 1 + varintSize(pairSize) + pairSize)
    bytes[at] = tag
    let p = copy(bytes, varint(bytes, at + 1, pairSize), keyBytes)
    bytes[p] = 0x12
    p = varint(bytes, p + 1, anySize)
    bytes[p] = 0x0a
    return this.#utf8(varint(bytes, p + 1, size), text, size)
  }

  /** An AnyValue message under `tag`. */
  value(at: number, tag: number, value: LogValue, depth = 0): number {
    const bodyAt = this.open(at, tag)
    return this.close(bodyAt, this.#valueBody(bodyAt, value, depth))
  }

  #nested(at: number, tag: number, keyBytes: Uint8Array, value: object): number {
    const pairAt = this.open(at, tag)
    const anyAt = this.open(this.raw(pairAt, keyBytes), 0x12)
    return this.close(pairAt, this.close(anyAt, this.#objectBody(anyAt, value, 0)))
  }

  #valueBody(at: number, value: unknown, depth: number): number {
    if (typeof value === 'string') return this.string(at, 0x0a, value)
    if (typeof value === 'object' && value !== null) return this.#objectBody(at, value, depth)
    this.require(at, 11)
    return this.#primitive(at, value)
  }

  /** The depth is a bound for cycles too; a wide cycle ends where the buffer ends. */
  #objectBody(at: number, value: object, depth: number): number {
    if (Array.isArray(value)) return this.#array(at, value, depth)
    if (value instanceof Uint8Array) {
      this.require(at, 11)
      return this.raw(this.uint(at, 0x3a, value.length), value)
    }
    if (value instanceof Error) return this.string(at, 0x0a, value.stack ?? String(value))
    if (depth >= valueDepthMax) return at
    if ('toJSON' in value && typeof value.toJSON === 'function')
      return this.#valueBody(at, value.toJSON(), depth + 1)
    const mapAt = this.open(at, 0x32)
    let p = mapAt
    for (const [key, entry] of Object.entries(value)) {
      if (entry === undefined || typeof entry === 'function' || typeof entry === 'symbol') continue
      const pairAt = this.open(p, 0x0a)
      p = this.close(pairAt, this.value(this.string(pairAt, 0x0a, key), 0x12, entry, depth + 1))
    }
    return this.close(mapAt, p)
  }

  #array(at: number, values: readonly unknown[], depth: number): number {
    const bytes = this.bytes
    const arrayAt = this.open(at, 0x2a)
    let p = arrayAt
    for (const value of depth >= valueDepthMax ? [] : values) {
      if (typeof value === 'string') {
        const valueAt = this.open(p, 0x0a)
        p = this.close(valueAt, this.string(valueAt, 0x0a, value))
      } else if (typeof value === 'object' && value !== null) {
        const valueAt = this.open(p, 0x0a)
        p = this.close(valueAt, this.#objectBody(valueAt, value, depth + 1))
      } else {
        this.require(p, 13)
        bytes[p] = 0x0a
        const end = this.#primitive(p + 2, value)
        bytes[p + 1] = end - p - 2
        p = end
      }
    }
    return this.close(arrayAt, p)
  }

  /** The body of an AnyValue: at most 11 bytes, for which the caller has made sure of room. */
  #primitive(at: number, value: unknown): number {
    const bytes = this.bytes
    if (typeof value === 'number') {
      // Most numbers are small integers, which need none of the 64-bit arithmetic below.
      if ((value | 0) === value && value >= 0) {
        bytes[at] = 0x18
        return smallVarint(bytes, at + 1, value)
      }
      if (Number.isSafeInteger(value)) {
        bytes[at] = 0x18
        return value >= 0 ? varint(bytes, at + 1, value) : int64Varint(bytes, at + 1, BigInt(value))
      }
      bytes[at] = 0x21
      return double(bytes, at + 1, value)
    }
    if (typeof value === 'bigint') {
      bytes[at] = 0x18
      return int64Varint(bytes, at + 1, value)
    }
    if (typeof value !== 'boolean') return at
    bytes[at] = 0x10
    bytes[at + 1] = value ? 1 : 0
    return at + 2
  }

  #utf8(at: number, text: string, sizeBytes: number): number {
    // Lone surrogates become U+FFFD, as protobuf's string demands valid UTF-8; Buffer.byteLength counted them so.
    textEncoder.encodeInto(text, this.bytes.subarray(at, at + sizeBytes))
    return at + sizeBytes
  }

  /** The body after the one-byte length at `lengthAt` turned out to need more. */
  #widen(lengthAt: number, end: number): number {
    const size = end - lengthAt - 1
    const lengthSize = varintSize(size)
    this.bytes.copyWithin(lengthAt + lengthSize, lengthAt + 1, end)
    varint(this.bytes, lengthAt, size)
    return end + lengthSize - 1
  }

  #keyBytes(key: string, place: number): Uint8Array {
    const keyBytes = this.#keys.get(key) ?? this.#encodeKey(key)
    if (keyBytes.length <= cachedKeySizeBytesMax) {
      this.#recentKeys[place] = key
      this.#recentKeyBytes[place] = keyBytes
    }
    return keyBytes
  }

  #encodeKey(key: string): Uint8Array {
    const size = Buffer.byteLength(key)
    const encoded = new Uint8Array(1 + varintSize(size) + size)
    encoded[0] = 0x0a
    textEncoder.encodeInto(key, encoded.subarray(varint(encoded, 1, size)))
    if (this.#keys.size < keyCacheCountMax && size <= cachedKeySizeBytesMax) this.#keys.set(key, encoded)
    return encoded
  }
}

/** Runs `write` in ever larger buffers until there is room; the message is what it wrote. */
export function encodeMessage(write: (writer: WireWriter) => number): Uint8Array {
  for (let sizeBytes = 1024; ; sizeBytes *= 4) {
    const writer = new WireWriter(new Uint8Array(sizeBytes))
    try {
      return writer.bytes.slice(0, write(writer))
    } catch (error) {
      if (error !== noRoom || sizeBytes >= messageSizeBytesMax) throw error
    }
  }
}

/** Nested lengths have four bytes of seven bits. */
const messageSizeBytesMax = 256 * 1024 * 1024

/** Thrown by WireWriter when the buffer has no room. Shared, so it says nothing about the place. */
export const noRoom: Error = new Error('no room in the buffer')

/** Protobuf decoders stop at 100 nested messages, and one level of values takes three of them. */
const valueDepthMax = 24
const textEncoder = new TextEncoder()
const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)
const keyCacheCountMax = 1024
/** A power of two; every second place is a value's and stays unused. */
const recentKeysCount = 64
/** The field of a key that is the empty string. */
const emptyKey = Uint8Array.of(0x0a, 0)
const cachedKeySizeBytesMax = 256
/** Key bytes + text + the four bytes between them stay under 128. */
const shortAttributeMax = 124

/** Short copies: a loop beats TypedArray.set below about 64 bytes. */
function copy(bytes: Uint8Array, at: number, source: Uint8Array): number {
  const length = source.length
  if (length > 64) bytes.set(source, at)
  else for (let i = 0; i < length; i++) bytes[at + i] = source[i] as number
  return at + length
}

/** Non-negative safe integers. */
export function varint(bytes: Uint8Array, at: number, value: number): number {
  let p = at
  let rest = value
  while (rest > 0x7fffffff) {
    bytes[p++] = (rest % 128) | 128
    rest = Math.floor(rest / 128)
  }
  return smallVarint(bytes, p, rest)
}

/** Non-negative 31-bit integers. */
function smallVarint(bytes: Uint8Array, at: number, value: number): number {
  let p = at
  let rest = value
  while (rest > 127) {
    bytes[p++] = (rest & 127) | 128
    rest >>>= 7
  }
  bytes[p] = rest
  return p + 1
}

export function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++
  return size
}

/** Two's complement in 64 bits: ten bytes when negative. */
export function int64Varint(bytes: Uint8Array, at: number, value: bigint): number {
  let rest = BigInt.asUintN(64, value)
  let p = at
  for (; rest > 127n; rest >>= 7n) bytes[p++] = Number(rest & 127n) | 128
  bytes[p] = Number(rest)
  return p + 1
}

export function double(bytes: Uint8Array, at: number, value: number): number {
  float[0] = value
  for (let i = 0; i < 8; i++) bytes[at + i] = floatBytes[littleEndian ? i : 7 - i] as number
  return at + 8
}

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

export function padded4(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = (value & 127) | 128
  bytes[at + 1] = ((value >>> 7) & 127) | 128
  bytes[at + 2] = ((value >>> 14) & 127) | 128
  bytes[at + 3] = value >>> 21
}
