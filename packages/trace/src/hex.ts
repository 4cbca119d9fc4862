const byteToHex: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
)

/** The value of each lower-case hex character code; -1 for everything else, also upper case. */
const hexDigit: Int8Array = new Int8Array(256).fill(-1)
for (let digit = 0; digit < 16; digit += 1) hexDigit[digit.toString(16).charCodeAt(0)] = digit

/** Eight lower-case hex characters of a 32-bit word; the sign does not count. */
export function wordToHex(word: number): string {
  return (
    (byteToHex[word >>> 24] as string) +
    (byteToHex[(word >>> 16) & 255] as string) +
    (byteToHex[(word >>> 8) & 255] as string) +
    (byteToHex[word & 255] as string)
  )
}

/** Two lower-case hex characters of a byte. */
export function byteToHexText(byte: number): string {
  return byteToHex[byte & 255] as string
}

/**
 * Reads hex fields of one text and remembers whether a character was not lower-case hex, so that a caller checks once
 * at the end and not after every field. `reset()` before each text.
 */
export class HexReader {
  #invalid = 0

  reset(): void {
    this.#invalid = 0
  }

  /** False when any character read since `reset()` was not a lower-case hex digit (or lay beyond the text's end). */
  get valid(): boolean {
    return this.#invalid >= 0
  }

  byte(text: string, index: number): number {
    const high = digitAt(text, index)
    const low = digitAt(text, index + 1)
    // A refused digit is -1: one OR keeps its sign.
    this.#invalid |= high | low
    return (high << 4) | low
  }

  /** The signed 32-bit word of eight characters. */
  word(text: string, index: number): number {
    return (
      (this.byte(text, index) << 24) |
      (this.byte(text, index + 2) << 16) |
      (this.byte(text, index + 4) << 8) |
      this.byte(text, index + 6)
    )
  }
}

function digitAt(text: string, index: number): number {
  const code = text.charCodeAt(index)
  // charCodeAt gives NaN past the end and up to 65535 otherwise: both must not reach the table.
  return code < 256 ? (hexDigit[code] as number) : -1
}
