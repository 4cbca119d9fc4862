import type { SignalName, SpoolConfig } from './messages.ts'
import { checkedInteger, checkOneOf } from './option-checks.ts'
import { invalidOption } from './worker/exporter-error.ts'

/** `off`: nothing is written; `on-failure`: what the collector has not acknowledged soon; `always`: everything, before it is sent. */
export type SpoolMode = 'always' | 'off' | 'on-failure'

/** Where and how spans are kept that are not delivered. One folder serves one destination; any number of processes share it. */
export interface SpoolOptions {
  /** The folder; made when it is needed, with mode 0700. A relative path counts from the working directory at set-up. */
  readonly dir: string
  /** Default `on-failure`. */
  readonly mode?: SpoolMode
  /** Of all processes together. Default 256 MiB. */
  readonly bytesMax?: number
  /** Older spans are dropped instead of delivered. Default 72 hours. */
  readonly ageMsMax?: number
  /** An ended span is in this process's memory alone for at most about so long. Default 50. */
  readonly handOverMs?: number
  /**
   * For short programs: the end of the process does not wait for the collector. What is not delivered is written to the
   * folder, and a process of its own delivers it in the background: one at a time, gone a few seconds after its work is done.
   * Default `false`: the next process with this folder delivers, or `throughline flush`.
   */
  readonly flusher?: boolean
  /** How fast spans are read back and sent, besides new ones. Default 16 MiB. */
  readonly replayBytesPerSecondMax?: number
}

const mebibyte = 1024 * 1024
const hourMs = 3_600_000

export interface SpoolSurroundings {
  readonly signal: SignalName
  readonly name: string
  readonly dropsOldest: boolean
}

export interface ResolvedSpool {
  readonly config: SpoolConfig
  readonly handOverMs: number
}

/** Options with all defaults, checked; undefined when nothing is to be written. */
export function resolveSpool(
  options: SpoolOptions | undefined,
  { signal, name, dropsOldest }: SpoolSurroundings,
): ResolvedSpool | undefined {
  if (options === undefined) return undefined
  const { dir, mode = 'on-failure' } = options
  checkOneOf('spool.mode', mode, ['off', 'on-failure', 'always'])
  if (dir === '') throw invalidOption('spool.dir is empty; it must name a folder')
  const handOverMs = checkedInteger('spool.handOverMs', options.handOverMs ?? 50, 1)
  const bytesMax = checkedInteger(
    'spool.bytesMax',
    options.bytesMax ?? 256 * mebibyte,
    mebibyte,
    Number.MAX_SAFE_INTEGER,
  )
  const replayBytesPerSecondMax = checkedInteger(
    'spool.replayBytesPerSecondMax',
    options.replayBytesPerSecondMax ?? 16 * mebibyte,
    1024,
  )
  const ageMsMax = checkedInteger(
    'spool.ageMsMax',
    options.ageMsMax ?? 72 * hourMs,
    1,
    Number.MAX_SAFE_INTEGER,
  )
  if (mode === 'off') return undefined
  return {
    handOverMs,
    config: {
      mode,
      dir: process.getBuiltinModule('node:path').resolve(dir, signal),
      name,
      bytesMax,
      ageMsMax,
      dropWhenFull: dropsOldest ? 'oldest' : 'newest',
      ackMsMax: 50,
      openMsMax: handOverMs * 1.5,
      adoptIntervalMs: 10_000,
      replayBytesPerSecondMax,
      flusher: options.flusher ?? false,
    },
  }
}
