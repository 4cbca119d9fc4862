import type { SpoolFileSystem } from './file-system.ts'
import { type ProcessProbe, systemProbe } from './process-identity.ts'
import type { SpoolDrop } from './stats.ts'

/** How much a spool may hold. */
export interface SpoolLimits {
  /** Of the whole folder, all owners together. Default 256 MiB. */
  readonly bytesMax?: number
  /** Of one segment file; what is dropped is dropped by segments. Default an eighth of `bytesMax`, at most 8 MiB. */
  readonly segmentBytesMax?: number
  /** Of one record's payload. Default 16 MiB. */
  readonly recordBytesMax?: number
  /** Older records are dropped instead of delivered. Default 72 hours. */
  readonly ageMsMax?: number
}

/** How a spool is opened. */
export interface SpoolOptions extends SpoolLimits {
  /** The folder; it is made at the first append, with mode 0700, if it is not there. */
  readonly dir: string
  /** What the program calls itself, for those who adopt its records. */
  readonly name?: string
  /** What gives way when the spool is full: the oldest records (default), or the one that comes. */
  readonly dropWhenFull?: 'newest' | 'oldest'
  /** `each-record`: an appended record survives a loss of power too, for the price of an fdatasync. Default `never`. */
  readonly sync?: 'each-record' | 'never'
  /** A folder whose owner cannot be asked is adopted when its last heartbeat is older. Default 30,000. */
  readonly silenceMsMax?: number
  /** Records that were in this spool's hands and that nobody will deliver. Called within the operation that drops. */
  readonly onDrop?: (drop: SpoolDrop) => void
  readonly fs?: SpoolFileSystem
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** As many random bytes as asked for. */
  readonly randomBytes?: (size: number) => Uint8Array
  readonly processes?: ProcessProbe
}

export interface SpoolSettings {
  readonly dir: string
  readonly name: string
  readonly bytesMax: number
  readonly segmentBytesMax: number
  readonly recordBytesMax: number
  readonly ageMsMax: number
  readonly silenceMsMax: number
  readonly dropsOldest: boolean
  readonly syncs: boolean
  readonly onDrop: ((drop: SpoolDrop) => void) | undefined
  readonly fs: SpoolFileSystem
  readonly now: () => number
  readonly randomBytes: (size: number) => Uint8Array
  readonly processes: ProcessProbe
}

const segmentBytesMaxDefault = 8 * 1024 * 1024
/** An adopter reads a segment as a whole, and one record may be longer than the segment. */
const sizeBytesLimit = 256 * 1024 * 1024

/** A wrong option. The message names the option, the value that came and what is allowed. */
export class SpoolOptionError extends Error {
  override readonly name = 'SpoolOptionError'
  readonly code = 'invalid_option'
}

export function readOptions(options: SpoolOptions): SpoolSettings {
  if (options.dir === '') throw new SpoolOptionError('dir is empty; a folder is needed')
  const bytesMax = amount('bytesMax', options.bytesMax ?? 256 * 1024 * 1024, Number.MAX_SAFE_INTEGER)
  return {
    dir: options.dir,
    name: options.name ?? '',
    bytesMax,
    segmentBytesMax: amount(
      'segmentBytesMax',
      options.segmentBytesMax ?? Math.max(1, Math.min(segmentBytesMaxDefault, Math.floor(bytesMax / 8))),
      sizeBytesLimit,
    ),
    recordBytesMax: amount('recordBytesMax', options.recordBytesMax ?? 16 * 1024 * 1024, sizeBytesLimit),
    ageMsMax: amount('ageMsMax', options.ageMsMax ?? 72 * 3_600_000, Number.MAX_SAFE_INTEGER),
    silenceMsMax: amount('silenceMsMax', options.silenceMsMax ?? 30_000, Number.MAX_SAFE_INTEGER),
    dropsOldest: oneOf('dropWhenFull', options.dropWhenFull ?? 'oldest', ['newest', 'oldest']) === 'oldest',
    syncs: oneOf('sync', options.sync ?? 'never', ['each-record', 'never']) === 'each-record',
    onDrop: options.onDrop,
    fs: options.fs ?? process.getBuiltinModule('node:fs'),
    now: options.now ?? Date.now,
    randomBytes: options.randomBytes ?? ((size) => process.getBuiltinModule('node:crypto').randomBytes(size)),
    processes: options.processes ?? systemProbe,
  }
}

function amount(name: string, value: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= 1 && value <= max) return value
  throw new SpoolOptionError(`${name} is ${value}; an integer from 1 to ${max} is needed`)
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value
  throw new SpoolOptionError(`${name} is "${value}"; allowed are ${allowed.join(', ')}`)
}
