// The bytes of a segment: docs/formats/spool.md. All numbers are little-endian.
import { crc32 } from './crc32.ts'

export const formatVersion = 1
export const segmentHeaderBytes = 32
export const recordHeaderBytes = 40
/** The place of the acknowledgement in a record's header. The checksums do not cover it. */
export const acknowledgementOffset = 36

const segmentMagic = Buffer.from('TLspool\n', 'latin1')
/** Begins every record. The first byte occurs in no UTF-8 text, so that texts in payloads rarely look like it. */
const recordMarker = Buffer.from([0xf9, 0x54, 0x4c, 0x72])

/** What a record's header says beside the checksums. */
export interface RecordHeader {
  readonly kind: number
  readonly itemCount: number
  readonly payloadBytes: number
  /** Counts the owner's records from 1 on. */
  readonly sequence: number
  readonly appendedMs: number
}

export interface ReadHeader extends RecordHeader {
  readonly payloadCrc: number
  readonly headerCrc: number
  readonly acknowledgement: number
}

export function encodeSegmentHeader(segmentNumber: number, ownerId: string): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes)
  segmentMagic.copy(bytes)
  bytes.writeUInt32LE(formatVersion, 8)
  bytes.writeUInt32LE(segmentNumber, 12)
  bytes.write(ownerId, 16, 8, 'hex')
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28)
  return bytes
}

/** The version that a segment says it has, or undefined where its header is damaged. */
export function segmentVersion(bytes: Buffer): number | undefined {
  if (bytes.length < segmentHeaderBytes || !bytes.subarray(0, 8).equals(segmentMagic)) return undefined
  return crc32(bytes.subarray(0, 28)) === bytes.readUInt32LE(28) ? bytes.readUInt32LE(8) : undefined
}

/**
 * The checksums' first value. Each owner has its own, which is in no record: a payload that holds the bytes of a record (a
 * program tells of its own spool, or a stranger wrote an attribute) is never taken for one.
 */
export function checksumSeed(ownerId: string): number {
  return Number.parseInt(ownerId.slice(0, 8), 16)
}

export function encodeRecordHeader(header: RecordHeader, payload: Uint8Array, seed: number): Buffer {
  const bytes = Buffer.alloc(recordHeaderBytes)
  recordMarker.copy(bytes)
  bytes.writeUInt32LE(header.payloadBytes, 4)
  bytes.writeUInt32LE(header.itemCount, 8)
  bytes.writeUInt32LE(header.sequence, 12)
  bytes.writeDoubleLE(header.appendedMs, 16)
  bytes.writeUInt8(header.kind, 24)
  bytes.writeUInt32LE(crc32(payload, seed), 28)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 32), seed), 32)
  return bytes
}

/** The header at `offset`, or undefined where there is none that is intact. */
export function readRecordHeader(bytes: Buffer, offset: number, seed: number): ReadHeader | undefined {
  if (offset + recordHeaderBytes > bytes.length) return undefined
  const headerCrc = bytes.readUInt32LE(offset + 32)
  if (headerCrc !== crc32(bytes.subarray(offset, offset + 32), seed)) return undefined
  if (bytes.indexOf(recordMarker, offset) !== offset) return undefined
  return {
    payloadBytes: bytes.readUInt32LE(offset + 4),
    itemCount: bytes.readUInt32LE(offset + 8),
    sequence: bytes.readUInt32LE(offset + 12),
    appendedMs: bytes.readDoubleLE(offset + 16),
    kind: bytes.readUInt8(offset + 24),
    payloadCrc: bytes.readUInt32LE(offset + 28),
    headerCrc,
    acknowledgement: bytes.readUInt32LE(offset + acknowledgementOffset),
  }
}

/** The next place behind `offset` where a record may begin, or the end. */
export function nextMarker(bytes: Buffer, offset: number): number {
  const found = bytes.indexOf(recordMarker, offset)
  return found === -1 ? bytes.length : found
}

/** What the acknowledgement of a record is; 0 is none yet. It is made from the header, so that no stray write looks like it. */
export function acknowledgementOf(headerCrc: number): number {
  return ~headerCrc >>> 0 || 1
}
