import { gunzipSync } from 'node:zlib'

/** Spans in a protobuf ExportTraceServiceRequest, without decoding them. */
export function countOtlpSpans(body: Buffer): number {
  const bytes = body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body
  let count = 0
  // resource_spans (1) > scope_spans (2) > spans (2)
  eachField(bytes, 0, bytes.length, 1, (at, end) => {
    eachField(bytes, at, end, 2, (at, end) => {
      eachField(bytes, at, end, 2, () => count++)
    })
  })
  return count
}

function eachField(
  bytes: Buffer,
  at: number,
  end: number,
  field: number,
  found: (at: number, end: number) => void,
): void {
  let p = at
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[p++] ?? 0
      value += (byte & 127) * scale
      if (byte < 128) return value
    }
  }
  while (p < end) {
    const tag = varint()
    if ((tag & 7) !== 2) throw new Error(`wire type ${tag & 7} where only messages and strings stand`)
    const size = varint()
    if (tag >> 3 === field) found(p, p + size)
    p += size
  }
}

/** Spans in dd-trace's v0.4 body: MessagePack, an array of traces, each an array of spans (maps). */
export function countDatadogSpans(body: Buffer): number {
  const reader = new MessagePackReader(body)
  let count = 0
  for (let traces = reader.arrayLength(); traces > 0; traces--) {
    for (let spans = reader.arrayLength(); spans > 0; spans--) {
      count++
      reader.skip()
    }
  }
  return count
}

class MessagePackReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  arrayLength(): number {
    const type = this.#uint(1)
    if (type >= 0x90 && type <= 0x9f) return type & 15
    if (type === 0xdc) return this.#uint(2)
    if (type === 0xdd) return this.#uint(4)
    throw new Error(`MessagePack type ${type} is no array`)
  }

  /** One value with all that is in it. */
  skip(): void {
    let pending = 1
    for (; pending > 0; pending--) {
      const type = this.#uint(1)
      if (type >= 0x80 && type <= 0x8f) pending += 2 * (type & 15)
      else if (type >= 0x90 && type <= 0x9f) pending += type & 15
      else if (type >= 0xa0 && type <= 0xbf) this.#at += type & 31
      else if (type > 0x7f && type < 0xe0) pending += this.#skipLong(type)
    }
  }

  /** Types with a length or a size of their own; returns how many more values they contain. */
  #skipLong(type: number): number {
    const fixed = fixedSizes[type]
    if (fixed !== undefined) this.#at += fixed
    else if (type === 0xc4 || type === 0xd9) this.#skipBytes(this.#uint(1))
    else if (type === 0xc5 || type === 0xda) this.#skipBytes(this.#uint(2))
    else if (type === 0xc6 || type === 0xdb) this.#skipBytes(this.#uint(4))
    else if (type === 0xdc) return this.#uint(2)
    else if (type === 0xdd) return this.#uint(4)
    else if (type === 0xde) return 2 * this.#uint(2)
    else if (type === 0xdf) return 2 * this.#uint(4)
    else throw new Error(`MessagePack type ${type}`)
    return 0
  }

  #skipBytes(sizeBytes: number): void {
    this.#at += sizeBytes
  }

  #uint(sizeBytes: number): number {
    const value = this.#bytes.readUIntBE(this.#at, sizeBytes)
    this.#at += sizeBytes
    return value
  }
}

/** nil, false, true, float 32/64, uint 8-64, int 8-64. */
const fixedSizes: Readonly<Record<number, number>> = {
  0xc0: 0,
  0xc2: 0,
  0xc3: 0,
  0xca: 4,
  0xcb: 8,
  0xcc: 1,
  0xcd: 2,
  0xce: 4,
  0xcf: 8,
  0xd0: 1,
  0xd1: 2,
  0xd2: 4,
  0xd3: 8,
}
