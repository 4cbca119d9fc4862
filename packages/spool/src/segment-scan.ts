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
import { noDamage, type SpoolDamage } from './stats.ts'

export interface ScannedRecord extends ReadHeader {
  /** Of the record's header in the segment. */
  readonly offset: number
  readonly isAcknowledged: boolean
}

/** What is in a segment's bytes: every intact record, and what was found between them. */
export interface SegmentScan {
  readonly records: readonly ScannedRecord[]
  readonly damage: SpoolDamage
}

/** Finds every intact record, wherever the bytes around it are damaged. Never throws. */
export function scanSegment(bytes: Buffer, seed: number): SegmentScan {
  const version = segmentVersion(bytes)
  if (version !== undefined && version !== formatVersion)
    return { records: [], damage: { ...noDamage, unknownVersionCount: 1 } }
  return new Scanner(bytes, seed).scan()
}

class Scanner {
  readonly #bytes: Buffer
  readonly #seed: number
  readonly #records: ScannedRecord[] = []
  readonly #damage: { -readonly [Key in keyof SpoolDamage]: SpoolDamage[Key] } = { ...noDamage }
  #previousSequence: number | undefined

  constructor(bytes: Buffer, seed: number) {
    this.#bytes = bytes
    this.#seed = seed
  }

  scan(): SegmentScan {
    const bytes = this.#bytes
    // A damaged header of the segment does not matter to the records: they are found by their own.
    const isHeaderIntact = segmentVersion(bytes) !== undefined
    let offset = isHeaderIntact ? segmentHeaderBytes : 0
    let damagedFrom = isHeaderIntact || bytes.length === 0 ? undefined : 0
    while (offset < bytes.length) {
      const header = readRecordHeader(bytes, offset, this.#seed)
      if (header !== undefined && this.#isIntact(offset, header)) {
        this.#add(offset, header, damagedFrom !== undefined)
        damagedFrom = undefined
        offset += recordHeaderBytes + header.payloadBytes
      } else {
        this.#damage.lostItemCount += header?.itemCount ?? 0
        damagedFrom ??= offset
        // Not behind the payload that the header tells of: where bytes are missing, the next record begins inside of it.
        offset = nextMarker(bytes, offset + 1)
      }
    }
    if (damagedFrom !== undefined) this.#endDamaged(damagedFrom)
    return { records: this.#records, damage: this.#damage }
  }

  #add(offset: number, header: ReadHeader, isAfterDamage: boolean): void {
    const isAcknowledged = header.acknowledgement === acknowledgementOf(header.headerCrc)
    // Whatever else stands there is no acknowledgement: the record is delivered, twice at worst.
    if (!isAcknowledged && header.acknowledgement !== 0) this.#damage.corruptCount++
    if (isAfterDamage) this.#damage.corruptCount++
    if (this.#previousSequence !== undefined)
      this.#damage.lostRecordCount += Math.max(0, header.sequence - this.#previousSequence - 1)
    this.#previousSequence = header.sequence
    this.#records.push({ ...header, offset, isAcknowledged })
  }

  #endDamaged(offset: number): void {
    this.#damage.lostRecordCount++
    if (this.#isCutOff(offset)) this.#damage.tornCount++
    else this.#damage.corruptCount++
  }

  #isIntact(offset: number, header: ReadHeader): boolean {
    const start = offset + recordHeaderBytes
    const end = start + header.payloadBytes
    const bytes = this.#bytes
    return end <= bytes.length && crc32(bytes.subarray(start, end), this.#seed) === header.payloadCrc
  }

  /** True for what a write leaves that did not come to its end: a part of a header, of a payload, or zeros for it. */
  #isCutOff(offset: number): boolean {
    const rest = this.#bytes.subarray(offset)
    const header = readRecordHeader(rest, 0, this.#seed)
    if (header !== undefined) return recordHeaderBytes + header.payloadBytes > rest.length
    return rest.length < recordHeaderBytes || rest.every((byte) => byte === 0)
  }
}
