import type { HostMessage, OpenSpanSnapshot, WorkerConfig, WorkerMessage } from '../messages.ts'
import type { Transport } from './answer.ts'
import { ChunkSpool } from './chunk-spool.ts'
import { ExportQueue } from './export-queue.ts'
import type { QueuedChunk } from './export-request.ts'

/** At the end of the process: how long a collector that works may take to acknowledge what is on disk already. */
const lastAnswersMsMax = 100

export interface PipelineOptions {
  readonly config: WorkerConfig
  readonly transport: Transport
  readonly deadOwnerIds: readonly string[]
  readonly report: (message: WorkerMessage) => void
  readonly now: () => number
  readonly schedule: (callback: () => void, delayMs: number) => () => void
}

/** The queue and the disk beside it, from the first chunk to the end of the process or of the exporter. */
export class Pipeline {
  readonly #options: PipelineOptions
  readonly #queue: ExportQueue
  readonly #spool: ChunkSpool | undefined
  #onChange: (() => void) | undefined

  constructor(options: PipelineOptions) {
    this.#options = options
    const { config, transport, deadOwnerIds, report, now, schedule } = options
    if (config.spool !== undefined)
      this.#spool = new ChunkSpool({
        config: config.spool,
        deadOwnerIds,
        report,
        onWork: () => this.#queue.wake(),
        isFailing: () => this.#queue.isFailing,
        now,
        schedule,
      })
    this.#queue = new ExportQueue({
      transport,
      retry: config.retry,
      requestBytesMax: config.requestBytesMax,
      concurrentRequestsMax: config.concurrentRequestsMax,
      report: (event) => {
        // First to safety, so that whoever is told of the failure hears where things are.
        if (event.kind === 'attempt-failed') this.#spool?.saveAll()
        report(event)
        this.#onChange?.()
      },
      now,
      random: Math.random,
      schedule,
      ...(this.#spool !== undefined && { disk: this.#spool }),
    })
  }

  add({ chunkId, itemCount, bytes }: HostMessage & { kind: 'chunk' }): void {
    const chunk: QueuedChunk = { chunkId, itemCount, bytes, place: 'memory' }
    this.#spool?.arrived(chunk)
    this.#queue.add(chunk)
  }

  keepOpen(snapshots: readonly OpenSpanSnapshot[]): void {
    this.#spool?.keepOpen(snapshots)
  }

  spansEnded(openIds: readonly number[]): void {
    this.#spool?.spansEnded(openIds)
  }

  /** What runs now is no news later: nothing of it waits for a collector that is away. */
  addPending(bytes: Uint8Array): void {
    if (!this.#queue.isFailing) this.#queue.add({ chunkId: 0, itemCount: 0, bytes, place: 'memory' })
  }

  opened(message: HostMessage & { kind: 'open' }): void {
    this.#spool?.opened(message)
  }

  flush(): void {
    this.#queue.flush()
  }

  makeRoom(sizeBytes: number): void {
    this.#spool?.saveAll()
    this.#queue.trim()
    this.#queue.dropOldest(sizeBytes)
    this.#options.report({ kind: 'room-made' })
  }

  /** Nothing waits on disk, and nothing of it is under way. */
  get isEmpty(): boolean {
    return this.#spool?.isEmpty ?? true
  }

  /** What was found damaged in adopted folders. */
  get damage(): { readonly tornCount: number; readonly corruptCount: number } {
    return this.#spool?.damage ?? { tornCount: 0, corruptCount: 0 }
  }

  /** To be called every second. */
  heartbeat(): void {
    this.#spool?.heartbeat()
  }

  adopt(): void {
    this.#spool?.adopt()
  }

  /** Writes to disk what is in memory only. */
  save(): void {
    this.#spool?.saveAll()
    this.#options.report({ kind: 'saved' })
  }

  /** The same, and the last of it: then waits a moment for answers that are due, and releases the folder. */
  end(reason: string, onEnd: () => void): void {
    const { schedule, report } = this.#options
    const end = (): void => {
      if (this.#onChange === undefined) return
      this.#onChange = undefined
      cancel()
      // The host may have gone on since, in other listeners of its exit event.
      this.#spool?.saveAll()
      this.stop(reason)
      report({ kind: 'saved' })
      onEnd()
    }
    const cancel = schedule(end, lastAnswersMsMax)
    this.#onChange = () => {
      if (this.#queue.isIdle || this.#queue.isFailing) end()
    }
    this.#spool?.saveAll()
    this.#queue.stopReplay()
    this.#onChange()
  }

  stop(reason: string): void {
    this.#queue.stop()
    this.#spool?.release(reason)
  }
}
