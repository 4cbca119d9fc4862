import type { AdoptedOwner, FreeFolder } from './adoption.ts'
import { failureOf, type SpoolFailure } from './failure.ts'
import { listFolder, readFile, type SpoolFileSystem } from './file-system.ts'
import { checksumSeed } from './record-format.ts'
import { type OwnerFolder, Segment, segmentName, segmentNumber } from './segment.ts'
import { type SegmentScan, scanSegment } from './segment-scan.ts'
import { addDamage, noDamage, type SpoolDamage } from './stats.ts'

/** No options make a larger segment; of a larger file only so much is read. */
const segmentReadBytesMax = 512 * 1024 * 1024

export interface LoadedFolder {
  readonly folder: OwnerFolder
  readonly owner: AdoptedOwner
  readonly damage: SpoolDamage
  /** Why a segment could not be read. It stays where it is. */
  readonly failure: SpoolFailure | undefined
}

interface LoadedSegment {
  readonly number: number
  readonly sizeBytes: number
  readonly scan: SegmentScan
}

/** The segment files in a folder, oldest first. Links and files of others are none. */
export function segmentNumbers(fs: SpoolFileSystem, path: string): readonly number[] {
  return listFolder(fs, path)
    .flatMap((entry) => (entry.isFile() ? (segmentNumber(entry.name) ?? []) : []))
    .toSorted((a, b) => a - b)
}

/** Reads all of a free folder that was renamed to `path`. */
export function loadFolder(fs: SpoolFileSystem, free: FreeFolder, path: string): LoadedFolder {
  const { ownerId } = free
  const seed = checksumSeed(ownerId)
  const loaded: LoadedSegment[] = []
  let failure: SpoolFailure | undefined
  for (const number of segmentNumbers(fs, path))
    try {
      const bytes = readFile(fs, `${path}/${segmentName(number)}`, segmentReadBytesMax)
      loaded.push({ number, sizeBytes: bytes.length, scan: scanSegment(bytes, seed) })
    } catch (error) {
      failure = failureOf(error)
    }
  const damage = loaded.reduce((sum, { scan }) => addDamage(sum, scan.damage), noDamage)
  const owner = describeOwner(free, loaded, damage)
  const folder: OwnerFolder = { path, ownerId, seed, owner, segments: [], isHere: true }
  for (const { number, sizeBytes, scan } of loaded) {
    if (scan.damage.unknownVersionCount > 0) continue
    const segment = new Segment(fs, folder, number)
    segment.load(scan.records, sizeBytes)
    folder.segments.push(segment)
  }
  return { folder, owner, damage, failure }
}

function describeOwner(
  { ownerId, ending, file, lastHeartbeatMs }: FreeFolder,
  loaded: readonly LoadedSegment[],
  { tornCount, corruptCount }: SpoolDamage,
): AdoptedOwner {
  const records = loaded.flatMap(({ scan }) => scan.records)
  const waiting = records.filter(({ isAcknowledged }) => !isAcknowledged)
  return {
    ownerId,
    name: file?.owner.name ?? '',
    pid: file?.owner.pid ?? 0,
    host: file?.owner.host ?? '',
    startedMs: file?.owner.startedMs ?? 0,
    lastSeenMs: records.reduce((lastMs, { appendedMs }) => Math.max(lastMs, appendedMs), lastHeartbeatMs),
    ending,
    reason: file?.released,
    recordCount: waiting.length,
    itemCount: waiting.reduce((sum, { itemCount }) => sum + itemCount, 0),
    tornCount,
    corruptCount,
  }
}
