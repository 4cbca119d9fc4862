import type { AdoptedOwner } from './adoption.ts'
import { crc32 } from './crc32.ts'
import { fileMode, readAt, type SpoolFileSystem, writeAt } from './file-system.ts'
import {
  acknowledgementOf,
  acknowledgementOffset,
  encodeRecordHeader,
  encodeSegmentHeader,
  type ReadHeader,
  type RecordHeader,
  readRecordHeader,
  recordHeaderBytes,
  segmentHeaderBytes,
} from './record-format.ts'
import type { ScannedRecord } from './segment-scan.ts'
import type { SpoolRecord } from './spool-record.ts'

/** `held`: in the caller's hands; `done`: acknowledged, dropped or taken away. */
type EntryState = 'done' | 'held' | 'waiting'

/** One record of a segment. It is the handle that callers get. */
export class Entry implements SpoolRecord {
  readonly #segment: Segment
  readonly index: number
  readonly offset: number
  readonly kind: number
  readonly itemCount: number
  readonly payloadBytes: number
  state: EntryState

  constructor(segment: Segment, header: RecordHeader, place: { index: number; offset: number }) {
    this.#segment = segment
    this.index = place.index
    this.offset = place.offset
    this.kind = header.kind
    this.itemCount = header.itemCount
    this.payloadBytes = header.payloadBytes
    this.state = 'waiting'
  }

  get segment(): Segment {
    return this.#segment
  }

  get owner(): AdoptedOwner | undefined {
    return this.#segment.folder.owner
  }

  get recordCount(): 1 {
    return 1
  }
}

/** The folder of one owner. Its path changes when it is adopted. */
export interface OwnerFolder {
  path: string
  readonly ownerId: string
  readonly seed: number
  /** Undefined for the spool's own. */
  readonly owner: AdoptedOwner | undefined
  readonly segments: Segment[]
  /** False as soon as another process has it. */
  isHere: boolean
}

/** One segment file and what is known of its records. Throws what the file system throws. */
export class Segment {
  readonly folder: OwnerFolder
  readonly name: string
  readonly number: number
  readonly entries: Entry[] = []
  /** Entries that are not done. */
  liveCount = 0
  sizeBytes = 0
  newestMs = 0
  /** The file is gone, with what was in it. */
  isRemoved = false
  readonly #fs: SpoolFileSystem
  #fd: number | undefined
  #cursor = 0

  constructor(fs: SpoolFileSystem, folder: OwnerFolder, number: number) {
    this.#fs = fs
    this.folder = folder
    this.number = number
    this.name = segmentName(number)
  }

  get path(): string {
    return `${this.folder.path}/${this.name}`
  }

  /** Makes the file, which MUST NOT be there. */
  create(): void {
    const { O_CREAT, O_EXCL, O_RDWR } = process.getBuiltinModule('node:fs').constants
    this.#fd = this.#fs.openSync(this.path, O_CREAT | O_EXCL | O_RDWR, fileMode)
  }

  /** Writes a record at the end. When it throws, the file is as before, or ends in a torn record. */
  append(header: RecordHeader, payload: Uint8Array, options: { readonly syncs: boolean }): Entry {
    const fd = this.#open()
    const first = this.sizeBytes === 0 ? [encodeSegmentHeader(this.number, this.folder.ownerId)] : []
    const parts = [...first, encodeRecordHeader(header, payload, this.folder.seed), payload]
    try {
      writeAt(this.#fs, fd, { parts, offset: this.sizeBytes })
      if (options.syncs) this.#fs.fdatasyncSync(fd)
    } catch (error) {
      this.#cutTo(fd, this.sizeBytes)
      throw error
    }
    const offset = this.sizeBytes + first.length * segmentHeaderBytes
    this.sizeBytes = offset + recordHeaderBytes + payload.length
    return this.#add(header, offset)
  }

  /** Takes over what a scan has found. */
  load(records: readonly ScannedRecord[], sizeBytes: number): void {
    this.sizeBytes = sizeBytes
    for (const record of records) if (!record.isAcknowledged) this.#add(record, record.offset)
  }

  nextWaiting(): Entry | undefined {
    while (this.#cursor < this.entries.length) {
      const entry = this.entries[this.#cursor]
      if (entry?.state === 'waiting') return entry
      this.#cursor++
    }
    return undefined
  }

  /** `nextWaiting` will find it again. */
  giveBack(entry: Entry): void {
    entry.state = 'waiting'
    this.#cursor = Math.min(this.#cursor, entry.index)
  }

  /** The record's header and payload, or undefined when its bytes are not those that were written. */
  read(entry: Entry): { readonly header: ReadHeader; readonly payload: Buffer } | undefined {
    const bytes = Buffer.allocUnsafe(recordHeaderBytes + entry.payloadBytes)
    const count = readAt(this.#fs, this.#open(), { into: bytes, offset: entry.offset })
    const header = count === bytes.length ? readRecordHeader(bytes, 0, this.folder.seed) : undefined
    const payload = bytes.subarray(recordHeaderBytes)
    if (header === undefined || header.payloadCrc !== crc32(payload, this.folder.seed)) return undefined
    return { header, payload }
  }

  /** Writes into the record that it is delivered. */
  acknowledge(entry: Entry): void {
    const fd = this.#open()
    const bytes = Buffer.allocUnsafe(4)
    // Read back instead of kept: 4 bytes for each of a hundred thousand records in memory, for a read from the page cache.
    if (readAt(this.#fs, fd, { into: bytes, offset: entry.offset + 32 }) < 4) return
    bytes.writeUInt32LE(acknowledgementOf(bytes.readUInt32LE(0)))
    writeAt(this.#fs, fd, { parts: [bytes], offset: entry.offset + acknowledgementOffset })
  }

  close(): void {
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) this.#fs.closeSync(fd)
  }

  #open(): number {
    const { O_RDWR, O_NOFOLLOW } = process.getBuiltinModule('node:fs').constants
    return (this.#fd ??= this.#fs.openSync(this.path, O_RDWR | O_NOFOLLOW))
  }

  #add(header: RecordHeader, offset: number): Entry {
    const entry = new Entry(this, header, { index: this.entries.length, offset })
    this.entries.push(entry)
    this.liveCount++
    this.newestMs = Math.max(this.newestMs, header.appendedMs)
    return entry
  }

  #cutTo(fd: number, sizeBytes: number): void {
    try {
      this.#fs.ftruncateSync(fd, sizeBytes)
    } catch {
      // Then the next append overwrites the torn record, or a reader skips it.
    }
  }
}

const namePattern = /^(\d{8})\.segment$/

export function segmentName(number: number): string {
  return `${String(number).padStart(8, '0')}.segment`
}

/** The number in a segment file's name, or undefined for another's file. */
export function segmentNumber(name: string): number | undefined {
  const digits = namePattern.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** The record is nobody's business any more. */
export function countDone(entry: Entry): void {
  if (entry.state !== 'done') entry.segment.liveCount--
  entry.state = 'done'
}
