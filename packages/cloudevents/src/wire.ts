/** Thrown inside of the protobuf reader, and caught by it. */
export class WireFault extends Error {}

/** Reads the fields of one protobuf message. Every length is checked against the end of the message. */
export class WireReader {
  readonly #bytes: Uint8Array
  #at: number
  readonly #end: number

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  /** Calls `field` with each field's number and wire type; it must read the value, or `skip` it. */
  fields(field: (number: number, wireType: number) => void): void {
    while (this.#at < this.#end) {
      const tag = this.varint()
      const number = tag >>> 3
      if (tag > 0xffff_ffff || number === 0) throw new WireFault('field number')
      field(number, tag & 7)
    }
  }

  /** Numbers beyond 2^53 lose their lowest bits. */
  varint(): number {
    let value = 0
    let factor = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.#byte()
      value += (byte & 127) * factor
      if (byte < 128) return value
      factor *= 128
    }
    throw new WireFault('varint')
  }

  /** Two's complement; negative numbers have ten bytes. */
  int64(): number {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return Number(BigInt.asIntN(64, value))
    }
    throw new WireFault('varint')
  }

  /** A view into the message. */
  bytes(): Uint8Array {
    const size = this.varint()
    const from = this.#advance(size)
    return this.#bytes.subarray(from, from + size)
  }

  text(): string {
    try {
      return utf8.decode(this.bytes())
    } catch {
      throw new WireFault('text is not UTF-8')
    }
  }

  message(): WireReader {
    const size = this.varint()
    const from = this.#advance(size)
    return new WireReader(this.#bytes, from, from + size)
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint()
    else if (wireType === 1) this.#advance(8)
    else if (wireType === 2) this.#advance(this.varint())
    else if (wireType === 5) this.#advance(4)
    else throw new WireFault('wire type')
  }

  #byte(): number {
    return this.#bytes[this.#advance(1)] as number
  }

  #advance(size: number): number {
    const from = this.#at
    if (size > this.#end - from) throw new WireFault('length')
    this.#at = from + size
    return from
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Collects the fields of one protobuf message. */
export class WireWriter {
  readonly #parts: Uint8Array[] = []

  varint(field: number, value: number): this {
    this.#parts.push(varint(field * 8), varint(value))
    return this
  }

  bytes(field: number, value: Uint8Array): this {
    this.#parts.push(varint(field * 8 + 2), varint(value.length), value)
    return this
  }

  text(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value))
  }

  finish(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts))
  }
}

function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}
