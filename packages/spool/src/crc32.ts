/** Below this, the table is faster than loading node:zlib (RATIONALE.md), which a program may never need. */
const zlibFromBytes = 16 * 1024

let table: Int32Array | undefined
let zlibCrc32: ((data: Uint8Array, value?: number) => number) | undefined

/** CRC-32 as in gzip and zlib, continued from `value`. */
export function crc32(bytes: Uint8Array, value = 0): number {
  if (bytes.length >= zlibFromBytes) zlibCrc32 ??= process.getBuiltinModule('node:zlib').crc32
  return zlibCrc32 === undefined ? tableCrc32(bytes, value) : zlibCrc32(bytes, value)
}

/** The same value without node:zlib. */
export function tableCrc32(bytes: Uint8Array, value = 0): number {
  const values = (table ??= createTable())
  let crc = ~value
  // The index is in range: eight bits.
  for (let index = 0; index < bytes.length; index++)
    crc = (values[(crc ^ (bytes[index] as number)) & 0xff] as number) ^ (crc >>> 8)
  return ~crc >>> 0
}

function createTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_value, byte) => {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
    return crc
  })
}
