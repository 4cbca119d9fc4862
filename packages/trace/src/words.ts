/** The six words of a trace id and a span id. Words are 32-bit numbers of either sign. */
export interface IdWords {
  traceId0: number
  traceId1: number
  traceId2: number
  traceId3: number
  spanId0: number
  spanId1: number
}

/** 8 KiB at a time: one call of the system's generator pays for some 340 root spans. */
const poolWords = 2048

/** Fills an array of words with random bits. The default is the system's CSPRNG. */
export type FillRandom = (words: Int32Array) => void

/** Random 32-bit words from a pool that is filled in blocks. */
export class RandomWords {
  readonly #pool = new Int32Array(poolWords)
  readonly #fill: FillRandom
  #next = poolWords

  constructor(fill: FillRandom = fillFromSystem) {
    this.#fill = fill
  }

  next(): number {
    if (this.#next === poolWords) {
      this.#fill(this.#pool)
      this.#next = 0
    }
    const word = this.#pool[this.#next] as number
    this.#next += 1
    return word
  }

  /** Writes a trace id that is not all zero. */
  drawTraceId(target: IdWords): void {
    do {
      target.traceId0 = this.next()
      target.traceId1 = this.next()
      target.traceId2 = this.next()
      target.traceId3 = this.next()
    } while ((target.traceId0 | target.traceId1 | target.traceId2 | target.traceId3) === 0)
  }

  /** Writes a span id that is not all zero. */
  drawSpanId(target: IdWords): void {
    do {
      target.spanId0 = this.next()
      target.spanId1 = this.next()
    } while ((target.spanId0 | target.spanId1) === 0)
  }
}

/** node:crypto is loaded with the first id: importing it, a program would pay 2 ms at its start, tracing or not. */
function fillFromSystem(words: Int32Array): void {
  process.getBuiltinModule('node:crypto').randomFillSync(words)
}
