import { Buffer } from 'node:buffer'
import { attempt, DecodeBudget, type Decoded, DecodeFault, type DecodeLimits } from './decode.ts'

/** Decodes one whole message; the reader's methods throw DecodeFault, this never throws. */
export function decodeMessage<T>(
  bytes: Uint8Array,
  limits: DecodeLimits,
  read: (reader: WireReader) => T,
): Decoded<T> {
  return attempt(() => read(new WireReader(bytes, limits)))
}

/**
 * Reads protobuf fields from bytes that may be anything. Every read is checked against the end of the message it stands
 * in. Callers switch on the whole tag (field number and wire type), so that a known field in an unexpected wire type is
 * skipped like an unknown one, as protobuf's own parsers do.
 */
export class WireReader {
  readonly budget: DecodeBudget
  readonly #bytes: Buffer
  #at = 0
  #end: number

  constructor(bytes: Uint8Array, limits: DecodeLimits) {
    this.budget = new DecodeBudget(limits, bytes.byteLength)
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#end = bytes.byteLength
  }

  /** Whether the current message has another field. */
  more(): boolean {
    return this.#at < this.#end
  }

  tag(): number {
    const tag = this.uint32()
    if (tag < 8) throw malformed('field number 0')
    return tag
  }

  uint32(): number {
    const low = this.#bytes[this.#at] as number
    if (this.#at < this.#end && low < 128) {
      this.#at++
      return low
    }
    let value = 0
    for (let i = 0; i < 10; i++) {
      const byte = this.#byte()
      if (i < 5) value |= (byte & 127) << (7 * i)
      if (byte < 128) return value >>> 0
    }
    throw malformed('varint longer than ten bytes')
  }

  int32(): number {
    return this.uint32() | 0
  }

  sint32(): number {
    const value = this.uint32()
    return (value >>> 1) ^ -(value & 1)
  }

  bool(): boolean {
    const low = this.#bytes[this.#at] as number
    if (this.#at < this.#end && low < 128) {
      this.#at++
      return low !== 0
    }
    return this.uint64() !== 0n
  }

  uint64(): bigint {
    let value = 0n
    for (let i = 0; i < 10; i++) {
      const byte = this.#byte()
      value |= BigInt(byte & 127) << BigInt(7 * i)
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    throw malformed('varint longer than ten bytes')
  }

  /** A number where it is exact, else a bigint. */
  int64(): number | bigint {
    const startAt = this.#at
    let value = 0
    for (let i = 0; i < 4; i++) {
      const byte = this.#byte()
      value |= (byte & 127) << (7 * i)
      if (byte < 128) return value
    }
    // Beyond 28 bits the shifts above would meet the sign.
    this.#at = startAt
    return shortest(BigInt.asIntN(64, this.uint64()))
  }

  fixed32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4))
  }

  fixed64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#advance(8))
  }

  sfixed64(): bigint {
    return this.#bytes.readBigInt64LE(this.#advance(8))
  }

  double(): number {
    return this.#bytes.readDoubleLE(this.#advance(8))
  }

  /** Bytes that are not UTF-8 become U+FFFD. */
  string(): string {
    const size = this.#length()
    const at = this.#advance(size)
    if (size === 0) return ''
    if (size > recentLengthMax) return this.#bytes.toString('utf8', at, at + size)
    return this.#recent(at, size)
  }

  /**
   * Most texts of a message are keys and values that came just before. Finding one again costs less than making it anew,
   * and every span that has it shares it.
   */
  #recent(at: number, size: number): string {
    const bytes = this.#bytes
    let slot = size
    for (let i = at; i < at + size; i++) slot = (Math.imul(slot, 31) + (bytes[i] as number)) | 0
    slot &= recentTextsMax - 1
    const recent = recentTexts[slot]
    if (recent !== undefined && isAscii(bytes, at, recent, size)) return recent
    const text = bytes.toString('utf8', at, at + size)
    recentTexts[slot] = text
    return text
  }

  /** A copy: the message's buffer may be reused. */
  bytes(): Uint8Array {
    const size = this.#length()
    const at = this.#advance(size)
    return Uint8Array.from(this.#bytes.subarray(at, at + size))
  }

  /** An id of `sizeBytes` as lower-case hex; empty when it has another size. */
  id(sizeBytes: number): string {
    const size = this.#length()
    const at = this.#advance(size)
    return size === sizeBytes ? this.#bytes.toString('hex', at, at + size) : ''
  }

  message<T>(read: (reader: WireReader) => T): T {
    return this.#within(read, 0)
  }

  /** A message that may contain itself. */
  nested<T>(read: (reader: WireReader, depth: number) => T, depth: number): T {
    this.budget.checkDepth(depth)
    return this.#within(read, depth)
  }

  /** Packed repeated scalars. */
  packed<T>(read: (reader: WireReader) => T, into: T[]): void {
    this.#within((reader) => {
      while (reader.more()) {
        this.budget.spendElement()
        into.push(read(reader))
      }
    }, 0)
  }

  skip(tag: number): void {
    this.#skip(tag, 1)
  }

  #skip(tag: number, depth: number): void {
    switch (tag & 7) {
      case 0:
        this.uint64()
        return
      case 1:
        this.#advance(8)
        return
      case 2:
        this.#advance(this.#length())
        return
      case 3:
        this.#skipGroup(tag >>> 3, depth)
        return
      case 5:
        this.#advance(4)
        return
      default:
        throw malformed(`wire type ${tag & 7}`)
    }
  }

  #skipGroup(field: number, depth: number): void {
    this.budget.checkDepth(depth)
    for (;;) {
      const tag = this.tag()
      if ((tag & 7) !== 4) this.#skip(tag, depth + 1)
      else if (tag >>> 3 === field) return
      else throw malformed('group ends that did not begin')
    }
  }

  #within<T>(read: (reader: WireReader, depth: number) => T, depth: number): T {
    this.budget.spendElement()
    const size = this.#length()
    const outerEnd = this.#end
    this.#end = this.#at + size
    const value = read(this, depth)
    this.#end = outerEnd
    return value
  }

  #length(): number {
    const size = this.uint32()
    if (size > this.#end - this.#at) throw malformed('length beyond the end of the message')
    return size
  }

  #byte(): number {
    if (this.#at >= this.#end) throw malformed('message ends inside a varint')
    return this.#bytes[this.#at++] as number
  }

  /** The current offset, after making sure of `sizeBytes` bytes and stepping over them. */
  #advance(sizeBytes: number): number {
    const at = this.#at
    if (sizeBytes > this.#end - at) throw malformed('message ends inside a field')
    this.#at = at + sizeBytes
    return at
  }
}

/** 1024 texts of 64 characters: 64 KiB at most, in the second level cache. */
const recentTextsMax = 1024
const recentLengthMax = 64
const recentTexts: (string | undefined)[] = Array.from({ length: recentTextsMax })

/** Whether the bytes are exactly this text. Never true for a text beyond ASCII: it has a character that no byte equals. */
function isAscii(bytes: Uint8Array, at: number, text: string, size: number): boolean {
  if (text.length !== size) return false
  for (let i = 0; i < size; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false
  return true
}

export function shortest(value: bigint): number | bigint {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
}

function malformed(message: string): DecodeFault {
  return new DecodeFault('malformed', message)
}
