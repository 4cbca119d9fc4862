import type { Diagnostics } from './diagnostics.ts'
import { idsFromHex } from './non-recording-span.ts'
import { type IdWords, RandomWords } from './words.ts'

/** OpenTelemetry's id generator: lower-case hex, 32 and 16 characters, not all zero. */
export interface IdGenerator {
  generateTraceId(): string
  generateSpanId(): string
}

/** Where a provider's ids come from: random words, or a user's generator with random words as the way out. */
export interface IdSource {
  /** Writes a trace id; true when its bits are random, as the W3C random flag means it. */
  drawTraceId(target: IdWords): boolean
  drawSpanId(target: IdWords): void
}

export function createIdSource(generator: IdGenerator | undefined, diagnostics: Diagnostics): IdSource {
  return generator === undefined ? new RandomIds() : new GeneratedIds(generator, diagnostics)
}

class RandomIds implements IdSource {
  readonly #words = new RandomWords()

  drawTraceId(target: IdWords): boolean {
    this.#words.drawTraceId(target)
    return true
  }

  drawSpanId(target: IdWords): void {
    this.#words.drawSpanId(target)
  }
}

const anySpanId = '0000000000000001'
const anyTraceId = '00000000000000000000000000000001'

class GeneratedIds implements IdSource {
  readonly #generator: IdGenerator
  readonly #diagnostics: Diagnostics
  readonly #words = new RandomWords()

  constructor(generator: IdGenerator, diagnostics: Diagnostics) {
    this.#generator = generator
    this.#diagnostics = diagnostics
  }

  drawTraceId(target: IdWords): boolean {
    const ids = this.#read(() => idsFromHex(this.#generator.generateTraceId(), anySpanId))
    if (ids === undefined) {
      this.#words.drawTraceId(target)
      return true
    }
    target.traceId0 = ids.traceId0
    target.traceId1 = ids.traceId1
    target.traceId2 = ids.traceId2
    target.traceId3 = ids.traceId3
    return false
  }

  drawSpanId(target: IdWords): void {
    const ids = this.#read(() => idsFromHex(anyTraceId, this.#generator.generateSpanId()))
    if (ids === undefined) {
      this.#words.drawSpanId(target)
      return
    }
    target.spanId0 = ids.spanId0
    target.spanId1 = ids.spanId1
  }

  #read(draw: () => IdWords | undefined): IdWords | undefined {
    let cause: unknown
    try {
      const ids = draw()
      if (ids !== undefined) return ids
    } catch (error) {
      cause = error
    }
    this.#diagnostics.warn('ids', 'the id generator gave no valid id; a random one is used', cause)
    return undefined
  }
}
