import { codeOf } from './failure.ts'
import { fileMode, folderMode, quietly, type SpoolFileSystem, syncFolder, writeAt } from './file-system.ts'
import { ownFolderName } from './folder-names.ts'
import type { SpoolSettings } from './options.ts'
import { newOwner, ownerFileName, ownerLine } from './owner-file.ts'
import { checksumSeed, recordHeaderBytes } from './record-format.ts'
import { countDone, type Entry, type OwnerFolder, Segment } from './segment.ts'
import type { NewRecord } from './spool-record.ts'

/** The folder that one spool writes into. Throws what the file system throws. */
export class OwnFolder implements OwnerFolder {
  readonly ownerId: string
  readonly path: string
  readonly seed: number
  readonly owner: undefined
  readonly segments: Segment[] = []
  isHere = true
  /** The folder is on disk. */
  exists = false
  readonly #settings: SpoolSettings
  #segmentCount = 0
  #recordCount = 0

  constructor(settings: SpoolSettings) {
    this.#settings = settings
    this.ownerId = Buffer.from(settings.randomBytes(8)).toString('hex')
    this.path = `${settings.dir}/${ownFolderName(this.ownerId)}`
    this.seed = checksumSeed(this.ownerId)
  }

  get current(): Segment | undefined {
    return this.segments.at(-1)
  }

  /** Undefined when another process has adopted the folder in the meantime: the record may be lost there. */
  write(record: NewRecord): Entry | undefined {
    const { fs, now, syncs } = this.#settings
    const { kind, itemCount, payload } = record
    this.create()
    const segment = this.#segmentFor(payload.length)
    if (segment === undefined) return undefined
    const sequence = this.#recordCount + 1
    const header = { kind, itemCount, payloadBytes: payload.length, sequence, appendedMs: now() }
    const entry = segment.append(header, payload, { syncs })
    this.#recordCount = sequence
    // Looked at after the write: what was in the file before the folder was renamed is found by the one who renamed it.
    if (fs.existsSync(segment.path)) return entry
    countDone(entry)
    return undefined
  }

  create(): void {
    if (this.exists) return
    const { fs, dir, name, now, processes, syncs } = this.#settings
    const identity = processes.self()
    this.#makeFolders()
    try {
      this.#appendToOwnerFile(ownerLine(newOwner(identity, { name, startedMs: now() })))
    } catch (error) {
      removeFolder(fs, this.path)
      throw error
    }
    if (syncs) syncFolder(fs, dir)
    this.exists = true
  }

  /** False when the folder is gone. */
  heartbeat(): boolean {
    const { fs, now } = this.#settings
    const nowSeconds = now() / 1000
    try {
      fs.utimesSync(`${this.path}/${ownerFileName}`, nowSeconds, nowSeconds)
      return true
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
  }

  markReleased(reason: string): void {
    try {
      this.#appendToOwnerFile(ownerLine({ released: reason }))
    } catch (error) {
      // Another process has the folder already.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }

  /** Undefined when the folder is gone. */
  #segmentFor(payloadBytes: number): Segment | undefined {
    const { fs, segmentBytesMax, syncs } = this.#settings
    const { current } = this
    if (
      current !== undefined &&
      (current.sizeBytes === 0 || current.sizeBytes + recordHeaderBytes + payloadBytes <= segmentBytesMax)
    )
      return current
    const segment = new Segment(fs, this, this.#segmentCount + 1)
    try {
      segment.create()
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
    if (syncs) syncFolder(fs, this.path)
    this.#segmentCount++
    current?.close()
    this.segments.push(segment)
    return segment
  }

  #makeFolders(): void {
    const { fs, dir } = this.#settings
    try {
      fs.mkdirSync(this.path, folderMode)
    } catch (error) {
      // The id is random: a folder of that name is what an attempt of this owner has left that failed later on.
      if (codeOf(error) === 'EEXIST') return
      if (codeOf(error) !== 'ENOENT') throw error
      fs.mkdirSync(dir, { recursive: true, mode: folderMode })
      fs.mkdirSync(this.path, folderMode)
    }
  }

  #appendToOwnerFile(line: Uint8Array): void {
    const { fs } = this.#settings
    const { O_CREAT, O_NOFOLLOW, O_WRONLY } = process.getBuiltinModule('node:fs').constants
    const fd = fs.openSync(`${this.path}/${ownerFileName}`, O_CREAT | O_NOFOLLOW | O_WRONLY, fileMode)
    try {
      writeAt(fs, fd, { parts: [line], offset: fs.fstatSync(fd).size })
    } finally {
      fs.closeSync(fd)
    }
  }
}

/** Removes an owner's folder without segments. Files of others keep it. */
export function removeFolder(fs: SpoolFileSystem, path: string): void {
  quietly(() => fs.unlinkSync(`${path}/${ownerFileName}`))
  quietly(() => fs.rmdirSync(path))
}
