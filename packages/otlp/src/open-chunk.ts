import { padded4 } from './wire-writer.ts'

/**
 * Makes a valid chunk of a copy of one that its ChunkEncoder is still writing: of the first `sizeBytes` of its buffer, with no
 * item half in. Writes the lengths that `finish` would have written, and returns how many items there are; undefined when these
 * are no such bytes, for example because they were copied while the encoder was at work.
 */
export function sealOpenChunk(bytes: Uint8Array): number | undefined {
  if (bytes[0] !== 0x0a) return undefined
  let itemCount = 0
  let at = lengthEnd
  while (at < bytes.length) {
    const isScope = bytes[at] === 0x12
    const isOpen = isScope && isZero(bytes, at + 1)
    const end = isOpen ? bytes.length : fieldEnd(bytes, at)
    const count = isScope ? countItems(bytes, at + lengthEnd, end) : 0
    if (count === undefined || end === undefined) return undefined
    if (isOpen) padded4(bytes, at + 1, end - at - lengthEnd)
    itemCount += count
    at = end
  }
  padded4(bytes, 1, bytes.length - lengthEnd)
  return itemCount
}

/** A tag, and a length of four bytes. */
const lengthEnd = 5

/** The length of what is still written; four bytes of padded length have their high bits set. */
function isZero(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0 && bytes[at + 1] === 0 && bytes[at + 2] === 0 && bytes[at + 3] === 0
}

function countItems(bytes: Uint8Array, from: number, end: number | undefined): number | undefined {
  if (end === undefined) return undefined
  let count = 0
  let at = from
  while (at < end) {
    if (bytes[at] === 0x12) count++
    const next = fieldEnd(bytes, at)
    if (next === undefined || next > end) return undefined
    at = next
  }
  return at === end ? count : undefined
}

/** The end of the length-delimited field at `at`; every field at these levels is one. */
function fieldEnd(bytes: Uint8Array, at: number): number | undefined {
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = bytes[at + 1 + index]
    if (byte === undefined) return undefined
    length += (byte & 127) * 2 ** (7 * index)
    if (byte < 128) {
      const end = at + 2 + index + length
      return end <= bytes.length ? end : undefined
    }
  }
  return undefined
}
