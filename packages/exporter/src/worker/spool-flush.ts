import { openSpool } from '@throughline/spool'
import type { AdoptedProcess, WorkerConfig, WorkerMessage } from '../messages.ts'
import { Pipeline } from './pipeline.ts'
import { createTransport } from './transport.ts'

const tickMs = 250

export interface SpoolFlushOptions {
  /** With a spool. */
  readonly config: WorkerConfig
  /** It ends when nothing could be delivered for so long. */
  readonly idleMsMax: number
  /** It ends after so long in any case. */
  readonly totalMsMax: number
  /** When all is delivered, it waits so long for more. */
  readonly lingerMs?: number
  readonly onProgress?: (progress: SpoolFlushProgress) => void
  /** Called each quarter of a second; false ends it. */
  readonly onTick?: () => boolean
}

export interface SpoolFlushProgress {
  readonly adopted: readonly AdoptedProcess[]
  readonly deliveredItemCount: number
  readonly deliveredRecordCount: number
  readonly dropped: Readonly<Record<string, number>>
  readonly tornCount: number
  readonly corruptCount: number
  /** What went wrong last; empty when nothing did. */
  readonly cause: string
}

export interface SpoolFlushResult extends SpoolFlushProgress {
  /** Items that are still there, and may be delivered by another try. */
  readonly leftItemCount: number
  readonly leftRecordCount: number
}

/** Delivers what processes that are gone have left in a spool folder. Never rejects for trouble with disk or collector. */
export async function flushSpoolFolder(options: SpoolFlushOptions): Promise<SpoolFlushResult> {
  const flush = new SpoolFlush(options)
  await flush.run()
  return { ...flush.progress(), ...leftIn(options.config.spool?.dir ?? '') }
}

class SpoolFlush {
  readonly #options: SpoolFlushOptions
  readonly #adopted: AdoptedProcess[] = []
  readonly #dropped: Record<string, number> = {}
  #deliveredItemCount = 0
  #deliveredRecordCount = 0
  #cause = ''
  #pipeline: Pipeline | undefined
  #progressMs = 0
  #hasFailed = false
  #damage = { tornCount: 0, corruptCount: 0 }

  constructor(options: SpoolFlushOptions) {
    this.#options = options
  }

  async run(): Promise<void> {
    const { config, idleMsMax, totalMsMax, lingerMs = 0, onTick } = this.#options
    const transport = await createTransport(config, (message) => {
      this.#cause = message
    })
    const pipeline = new Pipeline({
      config,
      transport,
      deadOwnerIds: [],
      report: (message) => this.#hear(message),
      now: () => performance.now(),
      schedule: (callback, delayMs) => {
        const timer = setTimeout(callback, delayMs)
        return () => clearTimeout(timer)
      },
    })
    this.#pipeline = pipeline
    const startMs = performance.now()
    this.#progressMs = startMs
    pipeline.adopt()
    await new Promise<void>((resolve) => {
      const tick = (): void => {
        pipeline.heartbeat()
        if (pipeline.isEmpty) pipeline.adopt()
        const nowMs = performance.now()
        // An attempt that is under way is waited for: it ends by its own timeout.
        const idleMs = this.#hasFailed ? idleMsMax : idleMsMax + config.timeoutMs
        const patienceMs = pipeline.isEmpty ? lingerMs : idleMs
        const isOver = nowMs - this.#progressMs >= patienceMs || nowMs - startMs >= totalMsMax
        if (!isOver && onTick?.() !== false) return
        clearInterval(timer)
        this.#onDone = () => {}
        resolve()
      }
      const timer = setInterval(tick, tickMs)
      this.#onDone = () => setImmediate(tick)
      this.#onDone()
    })
    this.#damage = pipeline.damage
    pipeline.stop('flushed')
    transport.close()
  }

  progress(): SpoolFlushProgress {
    return {
      adopted: this.#adopted,
      deliveredItemCount: this.#deliveredItemCount,
      deliveredRecordCount: this.#deliveredRecordCount,
      dropped: this.#dropped,
      ...(this.#pipeline?.damage ?? this.#damage),
      cause: this.#cause,
    }
  }

  #onDone: () => void = () => {}

  #hear(message: WorkerMessage): void {
    switch (message.kind) {
      case 'adopted':
        this.#adopted.push(message.owner)
        break
      case 'delivered':
        this.#deliveredRecordCount += message.chunks.length
        this.#deliveredItemCount += countItems(message.chunks) - message.rejectedItemCount
        if (message.rejectedItemCount > 0) this.#drop('rejected', message.rejectedItemCount, message.note)
        this.#progressed()
        break
      case 'dropped':
        this.#drop(message.reason, countItems(message.chunks), message.cause)
        this.#progressed()
        break
      case 'attempt-failed':
      case 'spool-failed':
        this.#cause = message.cause
        this.#hasFailed = true
        break
      case 'said':
        this.#cause = message.message
        break
      default:
        return
    }
    this.#options.onProgress?.(this.progress())
  }

  #progressed(): void {
    this.#progressMs = performance.now()
    this.#hasFailed = false
    this.#onDone()
  }

  #drop(reason: string, itemCount: number, cause: string): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + itemCount
    this.#cause = cause
  }
}

function countItems(chunks: readonly { readonly itemCount: number }[]): number {
  return chunks.reduce((sum, { itemCount }) => sum + itemCount, 0)
}

/** Looks as an adopter looks, and leaves everything where it is. */
function leftIn(dir: string): Pick<SpoolFlushResult, 'leftItemCount' | 'leftRecordCount'> {
  const spool = openSpool({ dir })
  spool.adopt()
  const { itemCount, recordCount } = spool.stats().waiting
  spool.release('')
  return { leftItemCount: itemCount, leftRecordCount: recordCount }
}
