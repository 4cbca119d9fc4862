import type { AdoptedOwner, FreeFolder } from './adoption.ts'
import { listFolder, readFile, type SpoolFileSystem } from './file-system.ts'
import { checksumSeed } from './record-format.ts'
import { type OwnerFolder, Segment, segmentName, segmentNumber } from './segment.ts'
import { type SegmentScan, scanSegment } from './segment-scan.ts'
import type { SpoolDamage } from './stats.ts'

/** A segment is never larger than this, whoever wrote it: of a larger one only the first bytes are read. */
const segmentReadBytesMax = 1.5 * 2 ** 30

export interface LoadedFolder {
  readonly folder: OwnerFolder
  readonly owner: AdoptedOwner
  readonly damage: SpoolDamage
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
  const loaded = segmentNumbers(fs, path).map((number): LoadedSegment => {
    const bytes = readFile(fs, `${path}/${segmentName(number)}`, segmentReadBytesMax)
    return { number, sizeBytes: bytes.length, scan: scanSegment(bytes, seed) }
  })
  const damage = damageOf(loaded.map(({ scan }) => scan))
  const owner = describeOwner(free, loaded, damage)
  const folder: OwnerFolder = { path, ownerId, seed, owner, segments: [], isHere: true }
  for (const { number, sizeBytes, scan } of loaded) {
    if (scan.isUnknownVersion) continue
    const segment = new Segment(fs, folder, number)
    segment.load(scan.records, sizeBytes)
    folder.segments.push(segment)
  }
  return { folder, owner, damage }
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
    threadId: file?.owner.threadId ?? 0,
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

function damageOf(scans: readonly SegmentScan[]): SpoolDamage {
  const sum = (count: (scan: SegmentScan) => number): number =>
    scans.reduce((total, scan) => total + count(scan), 0)
  return {
    tornCount: sum(({ tornCount }) => tornCount),
    corruptCount: sum(({ corruptCount }) => corruptCount),
    itemCount: sum(({ damagedItemCount }) => damagedItemCount),
    unknownVersionCount: sum(({ isUnknownVersion }) => (isUnknownVersion ? 1 : 0)),
  }
}
