/** Bounds of a decoder. A message from a stranger costs at most what these allow, whatever its bytes say. */
export interface DecodeLimits {
  /** Protobuf bytes, or characters of JSON text. Default 32 Mi. */
  readonly messageSizeBytesMax?: number
  /**
   * Messages, array elements and attributes in all. An empty one costs two bytes on the wire and a hundred in memory, so
   * the size alone bounds nothing. Default 2 million.
   */
  readonly elementCountMax?: number
  /** Nesting of attribute values (arrays in arrays, maps in maps), and of unknown groups. Default 32; at most 256. */
  readonly valueDepthMax?: number
}

/** Why a message could not be decoded. */
export interface DecodeError {
  /** 'malformed': not what the format says. 'limit': over one of the DecodeLimits, named in the message. */
  readonly code: 'malformed' | 'limit'
  readonly message: string
}

/** What a decoder returns; it never throws. Look at `error` first: where it is undefined, `value` is there. */
export type Decoded<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly error: DecodeError; readonly value?: undefined }

/** What is left of the limits while one message is decoded. */
export class DecodeBudget {
  readonly valueDepthMax: number
  readonly #elementCountMax: number
  #elementCount = 0

  constructor(limits: DecodeLimits, sizeBytes: number) {
    const sizeBytesMax = limits.messageSizeBytesMax ?? 32 * 1024 * 1024
    if (sizeBytes > sizeBytesMax) throw new DecodeFault('limit', `message over ${sizeBytesMax} bytes`)
    this.#elementCountMax = limits.elementCountMax ?? 2_000_000
    this.valueDepthMax = Math.min(limits.valueDepthMax ?? 32, 256)
  }

  spendElement(): void {
    if (++this.#elementCount > this.#elementCountMax) {
      throw new DecodeFault('limit', `more than ${this.#elementCountMax} elements`)
    }
  }

  checkDepth(depth: number): void {
    if (depth > this.valueDepthMax) {
      throw new DecodeFault('limit', `values nested deeper than ${this.valueDepthMax}`)
    }
  }
}

/** Thrown inside the decoders only; `attempt` turns it into a result. */
export class DecodeFault extends Error {
  readonly code: DecodeError['code']

  constructor(code: DecodeError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** Runs a decoder. Whatever it throws becomes an error value. */
export function attempt<T>(decode: () => T): Decoded<T> {
  try {
    return { value: decode() }
  } catch (error) {
    if (error instanceof DecodeFault) return { error: { code: error.code, message: error.message } }
    return { error: { code: 'malformed', message: String(error) } }
  }
}
