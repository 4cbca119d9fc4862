import type { IdWords } from './words.ts'

const digitCodes: Uint8Array = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
/** The value of each lower-case hex character code; -1 for everything else, also upper case. */
const digitValues: Int8Array = new Int8Array(128).fill(-1)
digitCodes.forEach((code, value) => {
  digitValues[code] = value
})

/**
 * Where ids are written before they become a string: one flat string of the right length costs less than half of what
 * joining 24 pieces does (bench/micro/trace.bench.ts).
 */
const scratch = Buffer.from('00-00000000000000000000000000000000-0000000000000000-00', 'latin1')
const traceIdIndex = 3
const spanIdIndex = 36
const flagsIndex = 53

/** 32 lower-case hex characters. */
export function traceIdHex(ids: Readonly<IdWords>): string {
  writeTraceId(ids)
  return scratch.toString('latin1', traceIdIndex, traceIdIndex + 32)
}

/** 16 lower-case hex characters. */
export function spanIdHex(ids: Pick<IdWords, 'spanId0' | 'spanId1'>): string {
  writeSpanId(ids)
  return scratch.toString('latin1', spanIdIndex, spanIdIndex + 16)
}

/** `00-` trace id `-` span id `-` flags. */
export function traceparentText(ids: Readonly<IdWords>, traceFlags: number): string {
  writeTraceId(ids)
  writeSpanId(ids)
  scratch[flagsIndex] = digitCodes[(traceFlags >>> 4) & 15] as number
  scratch[flagsIndex + 1] = digitCodes[traceFlags & 15] as number
  return scratch.toString('latin1', 0, scratch.length)
}

/** Two lower-case hex characters of a byte. */
export function byteHex(byte: number): string {
  return (byte & 255).toString(16).padStart(2, '0')
}

/**
 * Reads hex fields of a text and remembers whether a character was not a lower-case hex digit, so that a caller checks
 * once at the end and not after every field. Indexes MUST lie inside the text. `reset()` before each text.
 */
export class HexReader {
  declare private refused: number

  constructor() {
    this.refused = 0
  }

  reset(): void {
    this.refused = 0
  }

  /** False when any character read since `reset()` was not a lower-case hex digit. */
  get valid(): boolean {
    return this.refused >= 0
  }

  byte(text: string, index: number): number {
    const high = digitAt(text, index)
    const low = digitAt(text, index + 1)
    // A refused digit is negative: one OR keeps its sign.
    this.refused |= high | low
    return (high << 4) | low
  }

  /** The signed 32-bit word of eight characters. */
  word(text: string, index: number): number {
    const a = digitAt(text, index)
    const b = digitAt(text, index + 1)
    const c = digitAt(text, index + 2)
    const d = digitAt(text, index + 3)
    const e = digitAt(text, index + 4)
    const f = digitAt(text, index + 5)
    const g = digitAt(text, index + 6)
    const h = digitAt(text, index + 7)
    this.refused |= a | b | c | d | e | f | g | h
    return (a << 28) | (b << 24) | (c << 20) | (d << 16) | (e << 12) | (f << 8) | (g << 4) | h
  }
}

function digitAt(text: string, index: number): number {
  const code = text.charCodeAt(index)
  return code < 128 ? (digitValues[code] as number) : -1
}

function writeTraceId(ids: Readonly<IdWords>): void {
  writeWord(traceIdIndex, ids.traceId0)
  writeWord(traceIdIndex + 8, ids.traceId1)
  writeWord(traceIdIndex + 16, ids.traceId2)
  writeWord(traceIdIndex + 24, ids.traceId3)
}

function writeSpanId(ids: Pick<IdWords, 'spanId0' | 'spanId1'>): void {
  writeWord(spanIdIndex, ids.spanId0)
  writeWord(spanIdIndex + 8, ids.spanId1)
}

/** The sign of a word does not count. */
function writeWord(index: number, word: number): void {
  scratch[index] = digitCodes[word >>> 28] as number
  scratch[index + 1] = digitCodes[(word >>> 24) & 15] as number
  scratch[index + 2] = digitCodes[(word >>> 20) & 15] as number
  scratch[index + 3] = digitCodes[(word >>> 16) & 15] as number
  scratch[index + 4] = digitCodes[(word >>> 12) & 15] as number
  scratch[index + 5] = digitCodes[(word >>> 8) & 15] as number
  scratch[index + 6] = digitCodes[(word >>> 4) & 15] as number
  scratch[index + 7] = digitCodes[word & 15] as number
}
