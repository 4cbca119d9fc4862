import type { SpoolFailure } from './failure.ts'
import { listFolder, readFile, type SpoolFileSystem } from './file-system.ts'
import { type FolderName, ownFolderName, parseFolderName } from './folder-names.ts'
import { type OwnerFile, ownerFileBytesMax, ownerFileName, readOwnerFile } from './owner-file.ts'
import type { ProcessProbe } from './process-identity.ts'
import { formatVersion } from './record-format.ts'

export interface AdoptOptions {
  /** Owners that the caller knows to be dead, such as a thread of its own that crashed: adopted without asking. */
  readonly deadOwnerIds?: readonly string[]
  /** Adopts no further folder once so many bytes of adopted segments are there. Default: no bound. */
  readonly bytesMax?: number
}

/** Whose records were adopted, and what was found there. */
export interface AdoptedOwner {
  readonly ownerId: string
  /** What the program called itself; empty when its owner file cannot be read, as are the other fields then. */
  readonly name: string
  readonly pid: number
  readonly host: string
  readonly startedMs: number
  /** The last time it was known to be alive: its heartbeat or its last record. */
  readonly lastSeenMs: number
  /** `released`: it ended in order; `died`: its process is gone; `silent`: it cannot be asked, and has not been heard of for long. */
  readonly ending: 'died' | 'released' | 'silent'
  /** What it said at its orderly end. */
  readonly reason: string | undefined
  /** What was waiting there. */
  readonly recordCount: number
  readonly itemCount: number
  readonly tornCount: number
  readonly corruptCount: number
}

export interface AdoptResult {
  readonly owners: readonly AdoptedOwner[]
  /** What went wrong with the rest; the next call tries again. */
  readonly failure: SpoolFailure | undefined
}

/** A folder that nobody is at work on. */
export interface FreeFolder {
  readonly path: string
  readonly ownerId: string
  readonly ending: AdoptedOwner['ending']
  readonly file: OwnerFile | undefined
  readonly lastHeartbeatMs: number
}

export interface AdoptionContext {
  readonly fs: SpoolFileSystem
  readonly dir: string
  readonly now: () => number
  readonly processes: ProcessProbe
  readonly silenceMsMax: number
  readonly selfId: string | undefined
  readonly deadOwnerIds: ReadonlySet<string>
}

/** The folders that may be adopted now, those first whose owners were last seen the longest ago. */
export function freeFolders(context: AdoptionContext): FreeFolder[] {
  return [...lookForFree(context)].toSorted((a, b) => a.lastHeartbeatMs - b.lastHeartbeatMs)
}

function* lookForFree(context: AdoptionContext): Generator<FreeFolder> {
  for (const entry of listFolder(context.fs, context.dir)) {
    const name = entry.isDirectory() ? parseFolderName(entry.name) : undefined
    if (name === undefined) continue
    const path = `${context.dir}/${entry.name}`
    const { ownerId } = name
    const holderId = name.adopterId ?? ownerId
    if (holderId === context.selfId) continue
    const owner = look(context, path)
    const holder = name.adopterId === undefined ? owner : look(context, holderPath(context, name))
    // An owner file of a later version: its rules are not known here.
    if ((owner.file?.owner.version ?? formatVersion) !== formatVersion) continue
    if (holder !== undefined && !isFree(context, holderId, holder)) continue
    yield {
      path,
      ownerId,
      ending: endingOf(context, ownerId, owner),
      file: owner.file,
      lastHeartbeatMs: owner.heartbeatMs,
    }
  }
}

interface Look {
  readonly file: OwnerFile | undefined
  /** 0 when nothing is there. */
  readonly heartbeatMs: number
}

function holderPath(context: AdoptionContext, { adopterId = '' }: FolderName): string {
  return `${context.dir}/${ownFolderName(adopterId)}`
}

function look({ fs }: AdoptionContext, path: string): Look {
  const filePath = `${path}/${ownerFileName}`
  try {
    const heartbeatMs = fs.lstatSync(filePath).mtimeMs
    return { file: readOwnerFile(readFile(fs, filePath, ownerFileBytesMax)), heartbeatMs }
  } catch {
    return { file: undefined, heartbeatMs: modifiedMs(fs, path) }
  }
}

function modifiedMs(fs: SpoolFileSystem, path: string): number {
  try {
    return fs.lstatSync(path).mtimeMs
  } catch {
    return 0
  }
}

function isFree(context: AdoptionContext, ownerId: string, { file, heartbeatMs }: Look): boolean {
  if (context.deadOwnerIds.has(ownerId) || heartbeatMs === 0) return true
  if (file?.released !== undefined) return true
  if (file !== undefined && context.processes.isGone(file.owner, heartbeatMs)) return true
  // Away from now in either direction: a heartbeat from the future was written by a clock that has been corrected since.
  return Math.abs(context.now() - heartbeatMs) > context.silenceMsMax
}

function endingOf(
  context: AdoptionContext,
  ownerId: string,
  { file, heartbeatMs }: Look,
): AdoptedOwner['ending'] {
  if (file?.released !== undefined) return 'released'
  const isDead = file !== undefined && context.processes.isGone(file.owner, heartbeatMs)
  return isDead || context.deadOwnerIds.has(ownerId) ? 'died' : 'silent'
}

/** What a folder takes on a disk beside its segments: itself, its owner file, and the last block of a segment. */
const folderOverheadBytes = 16 * 1024

/** Bytes on disk of all owners' folders but those at `exceptPaths`. Stops counting behind `bytesMax`. */
export function bytesOfOthers(
  { fs, dir }: Pick<AdoptionContext, 'dir' | 'fs'>,
  { exceptPaths, bytesMax }: { readonly exceptPaths: ReadonlySet<string>; readonly bytesMax: number },
): number {
  let bytes = 0
  for (const entry of listFolder(fs, dir)) {
    const path = `${dir}/${entry.name}`
    if (!entry.isDirectory() || parseFolderName(entry.name) === undefined || exceptPaths.has(path)) continue
    bytes += folderOverheadBytes
    for (const { name } of listFolder(fs, path)) bytes += sizeOf(fs, `${path}/${name}`)
    if (bytes > bytesMax) break
  }
  return bytes
}

function sizeOf(fs: SpoolFileSystem, path: string): number {
  try {
    return fs.lstatSync(path).size
  } catch {
    // Its owner has removed it in the meantime.
    return 0
  }
}
