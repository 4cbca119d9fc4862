import { Accounts } from './accounts.ts'
import { loadFolder, segmentNumbers } from './adopted-folder.ts'
import {
  type AdoptedOwner,
  type AdoptOptions,
  type AdoptResult,
  type FreeFolder,
  freeFolders,
} from './adoption.ts'
import { codeOf, failureOf, type SpoolFailure, type SpoolFailureReason } from './failure.ts'
import { quietly } from './file-system.ts'
import { adoptedFolderName, ownFolderName } from './folder-names.ts'
import { readOptions, type SpoolOptions, type SpoolSettings } from './options.ts'
import { OwnFolder } from './own-folder.ts'
import { ownerFileName } from './owner-file.ts'
import { acknowledgementOf } from './record-format.ts'
import { Entry, type OwnerFolder, type Segment } from './segment.ts'
import type { AppendResult, NewRecord, SpoolRecord, TakenRecord } from './spool-record.ts'
import type { SpoolStats } from './stats.ts'

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
  /** Says that the owner is alive; to be called every second or so. */
  heartbeat(): SpoolFailure | undefined
  /** Ends in order: what is not acknowledged is free for others at once. `reason` is told to those who adopt it. */
  release(reason: string): SpoolFailure | undefined
  stats(): SpoolStats
}

/** Opens a spool without touching the disk. Throws a SpoolOptionError for a wrong option. */
export function openSpool(options: SpoolOptions): Spool {
  return new FolderSpool(readOptions(options))
}

class FolderSpool implements Spool {
  readonly #settings: SpoolSettings
  readonly #accounts: Accounts
  readonly #adopted: OwnerFolder[] = []
  #own: OwnFolder
  #lastRead: Segment | undefined
  #isClosed = false

  constructor(settings: SpoolSettings) {
    this.#settings = settings
    this.#accounts = new Accounts(settings.onDrop)
    this.#own = new OwnFolder(settings)
  }

  get ownerId(): string {
    return this.#own.ownerId
  }

  append(record: NewRecord): AppendResult {
    const { recordBytesMax, bytesMax, dir } = this.#settings
    const { length } = record.payload
    if (this.#isClosed) return refusal('closed', `the spool in ${dir} is released`)
    if (length > recordBytesMax)
      return refusal('too_large', `${length} bytes; the limit is ${recordBytesMax}`)
    try {
      if (!this.#makeRoom(length)) return refusal('spool_full', `${dir} holds its limit of ${bytesMax} bytes`)
      const entry = this.#write(record) ?? this.#write(record)
      if (entry === undefined) return refusal('io_error', `${this.#own.path} disappears while it is written`)
      this.#accounts.appended(entry)
      return { ok: true, record: entry }
    } catch (error) {
      return { ok: false, failure: failureOf(error) }
    }
  }

  take(): TakenRecord | undefined {
    if (this.#isClosed) return undefined
    for (const segment of this.#segments())
      for (let entry = segment.nextWaiting(); entry !== undefined; entry = segment.nextWaiting()) {
        const taken = this.#takeEntry(entry)
        if (taken !== undefined) return taken
        this.#removeIfDone(segment)
      }
    return undefined
  }

  acknowledge(record: SpoolRecord): SpoolFailure | undefined {
    const entry = heldEntry(record)
    if (entry === undefined) return undefined
    this.#accounts.acknowledge(entry)
    const { segment } = entry
    if (segment.isRemoved || !segment.folder.isHere) return undefined
    try {
      // A segment of which nothing is left goes as a whole; its last acknowledgement needs no writing.
      if (!this.#removeIfDone(segment)) this.#open(segment).acknowledge(entry)
      return undefined
    } catch (error) {
      return failureOf(error)
    }
  }

  giveBack(record: SpoolRecord): void {
    const entry = heldEntry(record)
    if (entry === undefined) return
    if (!entry.segment.folder.isHere) this.#accounts.takeAway(entry)
    else if (entry.segment.isRemoved) this.#accounts.drop(entry, 'spool_full')
    else this.#accounts.giveBack(entry)
  }

  adopt({ deadOwnerIds = [], bytesMax = Number.POSITIVE_INFINITY }: AdoptOptions = {}): AdoptResult {
    const owners: AdoptedOwner[] = []
    let failure: SpoolFailure | undefined
    if (this.#isClosed) return { owners, failure }
    const context = {
      ...this.#settings,
      deadOwnerIds: new Set(deadOwnerIds),
      selfId: this.#own.ownerId,
    }
    try {
      for (const free of freeFolders(context)) {
        if (bytesOf(this.#adopted) >= bytesMax) break
        try {
          const owner = this.#adopt(free)
          if (owner !== undefined) owners.push(owner)
        } catch (error) {
          failure = failureOf(error)
        }
      }
    } catch (error) {
      failure = failureOf(error)
    }
    return { owners, failure }
  }

  heartbeat(): SpoolFailure | undefined {
    if (this.#isClosed || !this.#own.exists) return undefined
    try {
      if (!this.#own.heartbeat()) this.#moveOn()
      return undefined
    } catch (error) {
      return failureOf(error)
    }
  }

  release(reason: string): SpoolFailure | undefined {
    if (this.#isClosed) return undefined
    this.#isClosed = true
    const failures: SpoolFailure[] = []
    for (const release of [
      ...this.#adopted.map((folder) => () => this.#releaseAdopted(folder)),
      () => this.#releaseOwn(reason),
    ])
      try {
        release()
      } catch (error) {
        failures.push(failureOf(error))
      }
    return failures[0]
  }

  stats(): SpoolStats {
    return this.#accounts.read()
  }

  #write(record: NewRecord): Entry | undefined {
    const bytesBefore = bytesOf([this.#own])
    const entry = this.#own.write(record)
    if (entry === undefined) this.#moveOn()
    else this.#accounts.fileBytes += bytesOf([this.#own]) - bytesBefore
    return entry
  }

  /** The own folder is in another's hands, and what is in it. The spool goes on in a new one. */
  #moveOn(): void {
    const { fs, dir } = this.#settings
    this.#takeAway(this.#own)
    this.#own = new OwnFolder(this.#settings)
    const adopted = this.#adopted.splice(0)
    if (adopted.length > 0) this.#own.create()
    for (const folder of adopted)
      try {
        for (const segment of folder.segments) segment.close()
        const path = `${dir}/${adoptedFolderName(folder.ownerId, this.#own.ownerId)}`
        fs.renameSync(folder.path, path)
        folder.path = path
        this.#adopted.push(folder)
      } catch {
        this.#takeAway(folder)
      }
  }

  #takeAway(folder: OwnerFolder): void {
    folder.isHere = false
    for (const segment of folder.segments.splice(0)) {
      quietly(() => segment.close())
      this.#accounts.fileBytes -= segment.sizeBytes
      for (const entry of segment.entries) if (entry.state === 'waiting') this.#accounts.takeAway(entry)
    }
  }

  #takeEntry(entry: Entry): TakenRecord | undefined {
    const { now, ageMsMax } = this.#settings
    const found = this.#read(entry)
    if (found === undefined) return undefined
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

  #read(entry: Entry): ReturnType<Segment['read']> {
    try {
      const found = this.#open(entry.segment).read(entry)
      if (found === undefined) this.#accounts.drop(entry, 'corrupt')
      return found
    } catch {
      this.#accounts.drop(entry, 'unreadable')
      return undefined
    }
  }

  /** Keeps at most one segment open beside the one that is written. */
  #open(segment: Segment): Segment {
    if (this.#lastRead !== segment && this.#lastRead !== this.#own.current) this.#lastRead?.close()
    this.#lastRead = segment
    return segment
  }

  #adopt(free: FreeFolder): AdoptedOwner | undefined {
    const { fs, dir } = this.#settings
    if (segmentNumbers(fs, free.path).length === 0) {
      this.#removeFolder(free.path)
      return undefined
    }
    this.#own.create()
    const path = `${dir}/${adoptedFolderName(free.ownerId, this.#own.ownerId)}`
    try {
      fs.renameSync(free.path, path)
    } catch (error) {
      // Another one was faster.
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
    const { folder, owner, damage } = loadFolder(fs, free, path)
    this.#adopted.push(folder)
    this.#accounts.damaged(damage)
    this.#accounts.fileBytes += bytesOf([folder])
    for (const segment of folder.segments) for (const entry of segment.entries) this.#accounts.adopted(entry)
    for (const segment of folder.segments.slice()) this.#removeIfDone(segment)
    return owner
  }

  #makeRoom(bytes: number): boolean {
    const { bytesMax, dropsOldest } = this.#settings
    while (this.#accounts.fileBytes + bytes > bytesMax) {
      const [oldest] = dropsOldest ? this.#segments() : []
      if (oldest === undefined) return false
      for (const entry of oldest.entries)
        if (entry.state === 'waiting') this.#accounts.drop(entry, 'spool_full')
      this.#remove(oldest)
    }
    return true
  }

  /** A copy, oldest first: segments go while one looks through them. */
  #segments(): Segment[] {
    return [...this.#adopted, this.#own].flatMap(({ segments }) => segments)
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
    const { fs } = this.#settings
    segment.isRemoved = true
    folder.segments.splice(folder.segments.indexOf(segment), 1)
    this.#accounts.fileBytes -= segment.sizeBytes
    quietly(() => segment.close())
    quietly(() => fs.unlinkSync(segment.path))
    if (folder === this.#own || folder.segments.length > 0) return
    this.#adopted.splice(this.#adopted.indexOf(folder), 1)
    quietly(() => {
      if (segmentNumbers(fs, folder.path).length === 0) this.#removeFolder(folder.path)
      else this.#releaseAdopted(folder)
    })
  }

  #releaseAdopted(folder: OwnerFolder): void {
    const { fs, dir } = this.#settings
    for (const segment of folder.segments) segment.close()
    fs.renameSync(folder.path, `${dir}/${ownFolderName(folder.ownerId)}`)
  }

  #releaseOwn(reason: string): void {
    if (!this.#own.exists) return
    for (const segment of this.#own.segments.slice()) if (segment.liveCount === 0) this.#remove(segment)
    for (const segment of this.#own.segments) segment.close()
    if (this.#own.segments.length === 0) this.#removeFolder(this.#own.path)
    else this.#own.markReleased(reason)
  }

  #removeFolder(path: string): void {
    const { fs } = this.#settings
    quietly(() => fs.unlinkSync(`${path}/${ownerFileName}`))
    quietly(() => fs.rmdirSync(path))
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
