/** An id that is not hex of the right length is written as zeros, which receivers take for "invalid". */
export function hexId(bytes: Uint8Array, at: number, tag: number, hex: string, sizeBytes: number): number {
  bytes[at] = tag
  bytes[at + 1] = sizeBytes
  const end = at + 2 + sizeBytes
  if (hex.length !== sizeBytes * 2) {
    bytes.fill(0, at + 2, end)
    return end
  }
  for (let p = at + 2, i = 0; p < end; p++, i += 2) {
    bytes[p] = (nibble(hex.charCodeAt(i)) << 4) | nibble(hex.charCodeAt(i + 1))
  }
  return end
}

/** The value of a hex digit, 0 for anything else. */
function nibble(code: number): number {
  return nibbles[code & 127] as number
}

const nibbles = new Uint8Array(128)
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16)
  nibbles[digit.charCodeAt(0)] = value
  nibbles[digit.toUpperCase().charCodeAt(0)] = value
}
