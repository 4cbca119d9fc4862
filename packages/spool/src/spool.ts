import { Accounts } from './accounts.ts'
import { AdoptedFolders } from './adopted-folders.ts'
import { type AdoptedOwner, type AdoptOptions, type AdoptResult, bytesOfOthers } from './adoption.ts'
import { codeOf, failureOf, type SpoolFailure, type SpoolFailureReason } from './failure.ts'
import { quietly } from './file-system.ts'
import { readOptions, type SpoolOptions, type SpoolSettings } from './options.ts'
import { OwnFolder, removeFolder } from './own-folder.ts'
import { acknowledgementOf, recordHeaderBytes, segmentHeaderBytes } from './record-format.ts'
import { Entry, type OwnerFolder, type Segment } from './segment.ts'
import type { AppendResult, NewRecord, SpoolRecord, TakenRecord } from './spool-record.ts'
import type { SpoolDropReason, SpoolStats } from './stats.ts'

/**
 * Records on disk that outlive the process. Each Spool has a folder of its own within `dir`, made at its first append, and
 * adopts the folders that others have left. Everything is synchronous; after opening nothing throws.
 */
export interface Spool {
  /** Names the spool's own folder, `o-<ownerId>`. It changes when the folder was adopted from under a silent spool. */
  readonly ownerId: string
  /**
   * Writes a record. It is held: the caller acknowledges it, or gives it back so that `take` finds it. The payload stays the
   * caller's. When it is refused, nothing of it is on disk.
   */
  append(record: NewRecord): AppendResult
  /** The oldest waiting record, adopted ones first; held from now on. Undefined when none waits. */
  take(): TakenRecord | undefined
  /** The record is delivered or otherwise settled: it is forgotten. A failure means that it may come back after a crash. */
  acknowledge(record: SpoolRecord): SpoolFailure | undefined
  /** The caller lets go of a held record: it waits on disk for `take`, here or in another process. */
  giveBack(record: SpoolRecord): void
  /** Takes over the folders of owners that ended or fell silent. Two who do so at once get different folders. */
  adopt(options?: AdoptOptions): AdoptResult
  /** Says that the owner is alive, and drops what is too old; to be called every second or so. */
  heartbeat(): SpoolFailure | undefined
  /** Ends in order: what is not acknowledged is free for others at once. `reason` is told to those who adopt it. */
  release(reason: string): SpoolFailure | undefined
  stats(): SpoolStats
}

/** Opens a spool without touching the disk. Throws a SpoolOptionError for a wrong option. */
export function openSpool(options: SpoolOptions): Spool {
  return new FolderSpool(readOptions(options))
}

/** Others' bytes are looked at again after so long at the earliest, when the folder seems full. */
const othersAgeMsMax = 1_000

class FolderSpool implements Spool {
  readonly #settings: SpoolSettings
  readonly #accounts: Accounts
  /** In the caller's hands, and no longer on disk, where they had to make room: lost unless the caller delivers them. */
  readonly #heldOnly = new Set<Entry>()
  readonly #adopted: AdoptedFolders
  #own: OwnFolder
  #lastRead: Segment | undefined
  #othersBytes = 0
  #othersSeenMs = Number.NEGATIVE_INFINITY
  #isClosed = false

  constructor(settings: SpoolSettings) {
    this.#settings = settings
    this.#accounts = new Accounts(settings.onDrop)
    this.#adopted = new AdoptedFolders(settings)
    this.#own = new OwnFolder(settings)
  }

  get ownerId(): string {
    return this.#own.ownerId
  }

  append(record: NewRecord): AppendResult {
    const { dir } = this.#settings
    const { length } = record.payload
    const recordBytesMax = this.#recordBytesMax()
    if (this.#isClosed) return refusal('closed', `the spool in ${dir} is released`)
    if (length > recordBytesMax)
      return refusal('too_large', `${length} bytes; the limit is ${recordBytesMax}`)
    const result = this.#append(record)
    // What is full may be full of what is delivered already.
    const isFull = !result.ok && result.failure.reason === 'disk_full'
    return isFull && this.#removeDone() ? this.#append(record) : result
  }

  take(): TakenRecord | undefined {
    if (this.#isClosed) return undefined
    for (const segment of this.#segments()) {
      const taken = this.#takeFrom(segment)
      if (taken !== undefined) return taken
    }
    return undefined
  }

  acknowledge(record: SpoolRecord): SpoolFailure | undefined {
    const entry = heldEntry(record)
    if (entry === undefined) return undefined
    this.#heldOnly.delete(entry)
    this.#accounts.acknowledge(entry)
    const { segment } = entry
    if (segment.isRemoved || !segment.folder.isHere) return undefined
    try {
      // A segment of which nothing is left goes as a whole; its last acknowledgement needs no writing.
      if (!this.#removeIfDone(segment)) this.#open(segment).acknowledge(entry)
      return undefined
    } catch (error) {
      return this.#isGone(segment, error) ? undefined : failureOf(error)
    }
  }

  giveBack(record: SpoolRecord): void {
    const entry = heldEntry(record)
    if (entry === undefined) return
    this.#heldOnly.delete(entry)
    if (!entry.segment.folder.isHere) this.#accounts.takeAway(entry)
    else if (entry.segment.isRemoved) this.#accounts.drop(entry, 'spool_full')
    else this.#accounts.giveBack(entry)
  }

  adopt({ deadOwnerIds = [], bytesMax = Number.POSITIVE_INFINITY }: AdoptOptions = {}): AdoptResult {
    const owners: AdoptedOwner[] = []
    // First of all it is made sure that the own folder, in whose name others are adopted, is still there.
    let failure = this.heartbeat()
    if (this.#isClosed) return { owners, failure }
    try {
      for (const free of this.#adopted.listFree(this.#own, deadOwnerIds)) {
        if (bytesOf(this.#adopted.folders) >= bytesMax) break
        const result = this.#adopted.adopt(free, this.#own)
        failure ??= result?.failure
        if (result?.loaded === undefined) continue
        const { folder, owner, damage } = result.loaded
        this.#accounts.damaged(damage)
        this.#accounts.fileBytes += bytesOf([folder])
        for (const { entries } of folder.segments) for (const entry of entries) this.#accounts.adopted(entry)
        for (const segment of folder.segments.slice()) this.#removeIfDone(segment)
        if (owner.recordCount + owner.tornCount + owner.corruptCount > 0) owners.push(owner)
      }
    } catch (error) {
      failure ??= failureOf(error)
    }
    return { owners, failure }
  }

  heartbeat(): SpoolFailure | undefined {
    if (this.#isClosed || !this.#own.exists) return undefined
    try {
      if (!this.#own.heartbeat()) this.#moveOn()
      this.#dropAged()
      return undefined
    } catch (error) {
      return failureOf(error)
    }
  }

  release(reason: string): SpoolFailure | undefined {
    if (this.#isClosed) return undefined
    this.#isClosed = true
    for (const entry of this.#heldOnly) this.#accounts.drop(entry, 'spool_full')
    this.#heldOnly.clear()
    const failure = this.#adopted.releaseAll()
    try {
      this.#releaseOwn(reason)
      return failure
    } catch (error) {
      return failure ?? failureOf(error)
    }
  }

  stats(): SpoolStats {
    return this.#accounts.read()
  }

  #append(record: NewRecord): AppendResult {
    const { dir, bytesMax } = this.#settings
    try {
      if (!this.#makeRoom(record.payload.length))
        return refusal('spool_full', `${dir} holds ${bytesMax} bytes`)
      const entry = this.#write(record) ?? this.#write(record)
      if (entry === undefined) return refusal('io_error', `${this.#own.path} disappears while it is written`)
      this.#accounts.appended(entry)
      return { ok: true, record: entry }
    } catch (error) {
      return { ok: false, failure: failureOf(error) }
    }
  }

  #recordBytesMax(): number {
    const { recordBytesMax, bytesMax } = this.#settings
    return Math.min(recordBytesMax, bytesMax - segmentHeaderBytes - recordHeaderBytes)
  }

  #write(record: NewRecord): Entry | undefined {
    const bytesBefore = bytesOf([this.#own])
    const { current } = this.#own
    const entry = this.#own.write(record)
    if (entry === undefined) this.#moveOn()
    else this.#accounts.fileBytes += bytesOf([this.#own]) - bytesBefore
    if (this.#own.current !== current) this.#othersSeenMs = Number.NEGATIVE_INFINITY
    return entry
  }

  /** The own folder is in another's hands, and what is in it. The spool goes on in a new one. */
  #moveOn(): void {
    this.#takeAway(this.#own)
    this.#own = new OwnFolder(this.#settings)
    for (const folder of this.#adopted.follow(this.#own)) this.#takeAway(folder)
  }

  #takeAway(folder: OwnerFolder): void {
    folder.isHere = false
    for (const segment of folder.segments.splice(0)) {
      quietly(() => segment.close())
      this.#accounts.fileBytes -= segment.sizeBytes
      for (const entry of segment.entries) if (entry.state === 'waiting') this.#accounts.takeAway(entry)
    }
  }

  #takeFrom(segment: Segment): TakenRecord | undefined {
    try {
      for (let entry = segment.nextWaiting(); entry !== undefined; entry = segment.nextWaiting()) {
        const taken = this.#takeEntry(entry)
        if (taken !== undefined) return taken
      }
      this.#removeIfDone(segment)
    } catch (error) {
      // What cannot be read now goes on waiting, behind what can: it may be a lack of file descriptors.
      if (!this.#isGone(segment, error)) this.#accounts.readFailure = failureOf(error)
    }
    return undefined
  }

  #takeEntry(entry: Entry): TakenRecord | undefined {
    const { now, ageMsMax } = this.#settings
    const found = this.#open(entry.segment).read(entry)
    if (found === undefined) {
      this.#accounts.drop(entry, 'corrupt')
      return undefined
    }
    const { header, payload } = found
    const { appendedMs } = header
    if (header.acknowledgement === acknowledgementOf(header.headerCrc)) {
      // Another process had this folder for a while, and delivered it.
      this.#accounts.takeAway(entry)
    } else if (now() - appendedMs > ageMsMax) {
      this.#accounts.drop(entry, 'spool_age')
    } else {
      this.#accounts.hold(entry)
      return { record: entry, payload, appendedMs }
    }
    return undefined
  }

  /** After an error: true when the segment, or the folder that it is in, is not there any more. */
  #isGone(segment: Segment, error: unknown): boolean {
    if (codeOf(error) !== 'ENOENT') return false
    const { folder } = segment
    if (this.#settings.fs.existsSync(folder.path)) {
      this.#dropWaiting(segment, 'missing')
      this.#remove(segment)
    } else if (folder === this.#own) {
      this.#moveOn()
    } else {
      this.#adopted.forget(folder)
      this.#takeAway(folder)
    }
    return true
  }

  /** Keeps at most one segment open beside the one that is written. */
  #open(segment: Segment): Segment {
    if (this.#lastRead !== segment && this.#lastRead !== this.#own.current) this.#lastRead?.close()
    this.#lastRead = segment
    return segment
  }

  #makeRoom(payloadBytes: number): boolean {
    const bytes = payloadBytes + recordHeaderBytes + segmentHeaderBytes
    const { now, dropsOldest } = this.#settings
    if (this.#othersSeenMs === Number.NEGATIVE_INFINITY) this.#lookAtOthers()
    while (!this.#isRoomFor(bytes)) {
      if (Math.abs(now() - this.#othersSeenMs) > othersAgeMsMax) {
        this.#lookAtOthers()
        continue
      }
      if (this.#removeDone()) continue
      const oldest = dropsOldest ? (this.#segments()[0] ?? this.#adoptOldest()) : undefined
      if (oldest === undefined) return false
      this.#dropWaiting(oldest, 'spool_full')
      for (const entry of oldest.entries) if (entry.state === 'held') this.#heldOnly.add(entry)
      this.#remove(oldest)
    }
    return true
  }

  #isRoomFor(bytes: number): boolean {
    return this.#accounts.fileBytes + this.#othersBytes + bytes <= this.#settings.bytesMax
  }

  #lookAtOthers(): void {
    const exceptPaths = new Set([this.#own.path, ...this.#adopted.folders.map(({ path }) => path)])
    this.#othersBytes = bytesOfOthers(this.#settings, { exceptPaths, bytesMax: this.#settings.bytesMax })
    this.#othersSeenMs = this.#settings.now()
  }

  #adoptOldest(): Segment | undefined {
    this.adopt({ bytesMax: 1 })
    this.#lookAtOthers()
    return this.#segments()[0]
  }

  #dropAged(): void {
    const { now, ageMsMax } = this.#settings
    const oldestMs = now() - ageMsMax
    for (const segment of this.#segments())
      if (segment.sizeBytes > 0 && segment.newestMs < oldestMs) {
        this.#dropWaiting(segment, 'spool_age')
        this.#removeIfDone(segment)
      }
  }

  #dropWaiting(segment: Segment, reason: SpoolDropReason): void {
    for (const entry of segment.entries) if (entry.state === 'waiting') this.#accounts.drop(entry, reason)
  }

  /** A copy, oldest first: segments go while one looks through them. */
  #segments(): Segment[] {
    return [...this.#adopted.folders, this.#own].flatMap(({ segments }) => segments)
  }

  /** Removes also the current segment when nothing in it is alive; false when there was nothing to remove. */
  #removeDone(): boolean {
    const done = this.#segments().filter(({ liveCount, sizeBytes }) => liveCount === 0 && sizeBytes > 0)
    for (const segment of done) this.#remove(segment)
    return done.length > 0
  }

  #removeIfDone(segment: Segment): boolean {
    if (segment.liveCount > 0 || segment.isRemoved) return false
    // The current segment goes too once it is worth it: then nothing of a healthy exporter ever gets to the disk itself.
    const isWorthIt = segment.sizeBytes >= this.#settings.segmentBytesMax / 4
    if (segment === this.#own.current && !isWorthIt) return false
    this.#remove(segment)
    return true
  }

  #remove(segment: Segment): void {
    const { folder } = segment
    segment.isRemoved = true
    folder.segments.splice(folder.segments.indexOf(segment), 1)
    this.#accounts.fileBytes -= segment.sizeBytes
    quietly(() => segment.close())
    quietly(() => this.#settings.fs.unlinkSync(segment.path))
    if (folder !== this.#own && folder.segments.length === 0) this.#adopted.finish(folder)
  }

  #releaseOwn(reason: string): void {
    if (!this.#own.exists) return
    for (const segment of this.#own.segments.slice()) if (segment.liveCount === 0) this.#remove(segment)
    for (const segment of this.#own.segments) segment.close()
    if (this.#own.segments.length === 0) removeFolder(this.#settings.fs, this.#own.path)
    else this.#own.markReleased(reason)
  }
}

function heldEntry(record: SpoolRecord): Entry | undefined {
  return record instanceof Entry && record.state === 'held' ? record : undefined
}

function bytesOf(folders: readonly OwnerFolder[]): number {
  let bytes = 0
  for (const { segments } of folders) for (const { sizeBytes } of segments) bytes += sizeBytes
  return bytes
}

function refusal(reason: SpoolFailureReason, cause: string): AppendResult {
  return { ok: false, failure: { reason, cause } }
}
