import { crc32 } from './crc32.ts'
import {
  acknowledgementOf,
  formatVersion,
  nextMarker,
  type ReadHeader,
  readRecordHeader,
  recordHeaderBytes,
  segmentHeaderBytes,
  segmentVersion,
} from './record-format.ts'

export interface ScannedRecord extends ReadHeader {
  /** Of the record's header in the segment. */
  readonly offset: number
  readonly isAcknowledged: boolean
}

/** What is in a segment's bytes: every intact record, and what lies between them. */
export interface SegmentScan {
  readonly records: readonly ScannedRecord[]
  readonly tornCount: number
  readonly corruptCount: number
  /** Items of damaged records whose header is intact. */
  readonly damagedItemCount: number
  /** The segment is of a version that is not ours: nothing was read. */
  readonly isUnknownVersion: boolean
}

/** Finds every intact record, wherever the bytes around it are damaged. Never throws. */
export function scanSegment(bytes: Buffer, seed: number): SegmentScan {
  const version = segmentVersion(bytes)
  const records: ScannedRecord[] = []
  if (version !== undefined && version !== formatVersion)
    return { records, tornCount: 0, corruptCount: 0, damagedItemCount: 0, isUnknownVersion: true }
  let corruptCount = 0
  let damagedItemCount = 0
  // A damaged header of the segment does not matter to the records: they are found by their own.
  let offset = version === undefined ? 0 : segmentHeaderBytes
  let damage: { readonly isTorn: boolean } | undefined
  while (offset < bytes.length) {
    const header = readRecordHeader(bytes, offset, seed)
    if (header !== undefined && isIntact(bytes, offset, header, seed)) {
      if (damage !== undefined) corruptCount++
      damage = undefined
      const isAcknowledged = header.acknowledgement === acknowledgementOf(header.headerCrc)
      if (!isAcknowledged && header.acknowledgement !== 0) corruptCount++
      records.push({ ...header, offset, isAcknowledged })
      offset += recordHeaderBytes + header.payloadBytes
      continue
    }
    damagedItemCount += header?.itemCount ?? 0
    damage ??= { isTorn: isCutOff(bytes, offset, header) }
    // Not behind the payload that the header tells of: where bytes are missing, the next record begins inside of it.
    offset = nextMarker(bytes, offset + 1)
  }
  const isTorn = damage?.isTorn === true
  if (damage !== undefined && !isTorn) corruptCount++
  return { records, tornCount: isTorn ? 1 : 0, corruptCount, damagedItemCount, isUnknownVersion: false }
}

function isIntact(bytes: Buffer, offset: number, header: ReadHeader, seed: number): boolean {
  const start = offset + recordHeaderBytes
  const end = start + header.payloadBytes
  return end <= bytes.length && crc32(bytes.subarray(start, end), seed) === header.payloadCrc
}

/** True for what a write leaves that did not come to its end: a part of a header, of a payload, or zeros for it. */
function isCutOff(bytes: Buffer, offset: number, header: ReadHeader | undefined): boolean {
  if (header !== undefined) return offset + recordHeaderBytes + header.payloadBytes > bytes.length
  const rest = bytes.subarray(offset)
  return rest.length < segmentHeaderBytes || rest.every((byte) => byte === 0)
}
