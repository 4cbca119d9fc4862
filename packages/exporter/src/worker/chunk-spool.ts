import {
  type AdoptedOwner,
  openSpool,
  type Spool,
  type SpoolDrop,
  type SpoolRecord,
  type TakenRecord,
} from '@throughline/spool'
import type { HostMessage, OpenSpanSnapshot, SpoolConfig, WorkerMessage } from '../messages.ts'
import { chunkRecordKind } from './control.ts'
import type { ChunkDisk } from './export-queue.ts'
import type { QueuedChunk } from './export-request.ts'
import type { interruptedRequest } from './interrupted-request.ts'
import { OpenChunkWatch } from './open-chunk-watch.ts'
import { OpenSpanRecords, openSpanRecordKind } from './open-span-records.ts'
import { dropCauses, dropReasons } from './spool-drops.ts'

/** After the disk refused a chunk, it is not asked again for so long. */
const diskPauseMs = 1_000
/** As long as so much is adopted and not delivered, other folders are left to other processes. */
const adoptedBytesMax = 16 * 1024 * 1024

export interface ChunkSpoolOptions {
  readonly config: SpoolConfig
  readonly deadOwnerIds: readonly string[]
  readonly report: (message: WorkerMessage) => void
  /** There is something on disk that could be sent. */
  readonly onWork: () => void
  readonly isFailing: () => boolean
  /** Monotonic milliseconds. */
  readonly now: () => number
  /** Calls back once, after `delayMs`; the result cancels it. */
  readonly schedule: (callback: () => void, delayMs: number) => () => void
  readonly open?: typeof openSpool
}

/**
 * When chunks go to disk, and in which order they come back. All of them on arrival (`always`), or those that the collector
 * has not acknowledged soon after, or has failed to take (`on-failure`).
 */
export class ChunkSpool implements ChunkDisk {
  readonly #options: ChunkSpoolOptions
  readonly #spool: Spool
  /** Chunks that are in memory only, in the order of their arrival, with the time of it. */
  readonly #unsaved = new Map<QueuedChunk, number>()
  readonly #records = new WeakMap<QueuedChunk, SpoolRecord>()
  readonly #chunkIds = new WeakMap<SpoolRecord, number>()
  /** This exporter's own folders, also those of its threads that crashed: their items are no adopted ones. */
  readonly #ownerIds: Set<string>
  readonly #openSpans: OpenSpanRecords
  /** Snapshots that were handed out as interrupted spans once: a second time they are no news. */
  readonly #interrupted = new WeakSet<SpoolRecord>()
  #interruptedRequest: typeof interruptedRequest | undefined
  #savesNext = false
  readonly #openWatch: OpenChunkWatch
  #cancelSave: (() => void) | undefined
  #diskIsBadUntilMs = Number.NEGATIVE_INFINITY
  #allowanceBytes: number
  #allowanceMs: number
  #cancelReplay: (() => void) | undefined

  constructor(options: ChunkSpoolOptions) {
    this.#options = options
    const { config, deadOwnerIds, open = openSpool, now } = options
    const { dir, name, bytesMax, ageMsMax, dropWhenFull } = config
    this.#spool = open({ dir, name, bytesMax, ageMsMax, dropWhenFull, onDrop: (drop) => this.#onDrop(drop) })
    this.#openSpans = new OpenSpanRecords(this.#spool)
    this.#ownerIds = new Set(deadOwnerIds)
    this.#openWatch = new OpenChunkWatch({
      spool: this.#spool,
      ageMsMax: config.openMsMax,
      schedule: options.schedule,
    })
    this.#allowanceBytes = config.replayBytesPerSecondMax
    this.#allowanceMs = now()
  }

  /** Nothing waits on disk, and nothing of it is under way. */
  get isEmpty(): boolean {
    const { waiting, held } = this.#spool.stats()
    return waiting.recordCount + held.recordCount === 0
  }

  /** What was found damaged in adopted folders. */
  get damage(): { readonly tornCount: number; readonly corruptCount: number } {
    const { tornCount, corruptCount } = this.#spool.stats().damage
    return { tornCount, corruptCount }
  }

  /** A chunk came from the host, and is in memory only. */
  arrived(chunk: QueuedChunk): void {
    const { config, now, isFailing } = this.#options
    this.#unsaved.set(chunk, now())
    const copy = this.#openWatch.arrived(chunk.chunkId)
    const isUrgent = config.mode === 'always' || isFailing() || this.#savesNext || copy !== undefined
    if (isUrgent) this.saveAll()
    else this.#scheduleSave()
    if (copy !== undefined && chunk.place === 'spool') this.#spool.acknowledge(copy)
  }

  /** The host has begun a chunk. */
  opened(message: HostMessage & { kind: 'open' }): void {
    this.#openWatch.opened(message)
  }

  /** Keeps what is known of spans that have not ended. */
  keepOpen(snapshots: readonly OpenSpanSnapshot[]): void {
    const { now, report } = this.#options
    if (now() < this.#diskIsBadUntilMs) return
    const failure = this.#openSpans.keep(snapshots)
    this.#tellOwner()
    if (failure === undefined) return
    this.#diskIsBadUntilMs = now() + diskPauseMs
    report({ kind: 'spool-failed', ...failure })
  }

  /**
   * They have ended, and their ends are in the next chunk. First the snapshots go, then that chunk is written and sent: so a
   * span that was delivered is never found open, and a kill between the two loses what has just ended.
   */
  spansEnded(openIds: readonly number[]): void {
    this.#openSpans.end(openIds)
    this.#savesNext = true
  }

  /** Writes everything to disk that is in memory only. What the disk does not take stays in memory. */
  saveAll(): void {
    this.#savesNext = false
    this.#save([...this.#unsaved.keys()])
  }

  /** Takes over what processes that are gone have left. */
  adopt(): void {
    const { report, onWork } = this.#options
    const { owners, failure } = this.#spool.adopt({
      deadOwnerIds: [...this.#ownerIds],
      bytesMax: adoptedBytesMax,
    })
    for (const owner of owners) report({ kind: 'adopted', owner: this.#describe(owner) })
    if (failure !== undefined) report({ kind: 'spool-failed', ...failure })
    if (owners.length > 0) onWork()
  }

  heartbeat(): void {
    this.#spool.heartbeat()
    this.#tellOwner()
  }

  /** Ends in order: what is on disk is free for the next process. */
  release(reason: string): void {
    this.#cancelSave?.()
    this.#cancelReplay?.()
    this.#openWatch.stop()
    this.#spool.release(reason)
  }

  take(): QueuedChunk | undefined {
    if (!this.#mayReplay()) return undefined
    for (let taken = this.#spool.take(); taken !== undefined; taken = this.#spool.take()) {
      const { record, payload } = taken
      if (record.kind === openSpanRecordKind && this.#interruptedRequest === undefined) {
        this.#spool.giveBack(record)
        void this.#loadDecoder()
        return undefined
      }
      this.#allowanceBytes -= payload.length
      const chunk =
        record.kind === openSpanRecordKind ? this.#interrupt(taken) : this.#chunkOf(record, payload)
      if (chunk === undefined) {
        this.#spool.acknowledge(record)
        continue
      }
      this.#records.set(chunk, record)
      return chunk
    }
    return undefined
  }

  #chunkOf(record: SpoolRecord, bytes: Uint8Array): QueuedChunk {
    const isOwn = record.owner === undefined || this.#ownerIds.has(record.owner.ownerId)
    const chunkId = this.#chunkIds.get(record) ?? 0
    return { chunkId, itemCount: record.itemCount, bytes, place: isOwn ? 'spool' : 'adopted' }
  }

  /** Undefined when nobody died with it: after a crash of this thread alone, the host tells of its spans again. */
  #interrupt({ record, payload }: TakenRecord): QueuedChunk | undefined {
    const { owner } = record
    if (owner === undefined || this.#ownerIds.has(owner.ownerId)) return undefined
    const request = this.#interruptedRequest?.(payload, owner)
    if (request === undefined) return undefined
    const { itemCount } = request
    if (!this.#interrupted.has(record)) {
      this.#interrupted.add(record)
      this.#options.report({ kind: 'interrupted', owner: { ...this.#describe(owner), itemCount } })
    }
    return { chunkId: 0, itemCount, bytes: request.payload, place: 'adopted' }
  }

  /** Most threads never see a snapshot of another process, and decoding is most of the code that they would load. */
  async #loadDecoder(): Promise<void> {
    this.#interruptedRequest = (await import('./interrupted-request.ts')).interruptedRequest
    this.#options.onWork()
  }

  giveBack(chunk: QueuedChunk): boolean {
    const record = this.#records.get(chunk)
    if (record === undefined) return false
    this.#spool.giveBack(record)
    return true
  }

  settle(chunk: QueuedChunk): void {
    this.#unsaved.delete(chunk)
    const record = this.#records.get(chunk)
    if (record !== undefined) this.#spool.acknowledge(record)
  }

  #save(chunks: readonly QueuedChunk[]): void {
    const { report, now } = this.#options
    const savedIds: number[] = []
    for (const chunk of now() >= this.#diskIsBadUntilMs ? chunks : []) {
      const { itemCount, bytes, chunkId } = chunk
      const result = this.#spool.append({ kind: chunkRecordKind, itemCount, payload: bytes })
      if (!result.ok) {
        this.#diskIsBadUntilMs = now() + diskPauseMs
        report({ kind: 'spool-failed', ...result.failure })
        break
      }
      this.#unsaved.delete(chunk)
      this.#records.set(chunk, result.record)
      this.#chunkIds.set(result.record, chunkId)
      chunk.place = 'spool'
      savedIds.push(chunkId)
    }
    if (savedIds.length > 0) {
      this.#tellOwner()
      report({ kind: 'spooled', chunkIds: savedIds })
    }
    this.#scheduleSave()
  }

  #scheduleSave(): void {
    const [oldest] = this.#unsaved.values()
    if (oldest === undefined || this.#cancelSave !== undefined) return
    const { config, now, schedule } = this.#options
    const dueMs = Math.max(oldest + config.ackMsMax, this.#diskIsBadUntilMs)
    this.#cancelSave = schedule(
      () => {
        this.#cancelSave = undefined
        const nowMs = now()
        // One that is due takes the others with it: each would be due within moments, and one write after another costs more.
        const [arrivedMs] = this.#unsaved.values()
        if (arrivedMs !== undefined && arrivedMs + config.ackMsMax <= nowMs) this.saveAll()
        else this.#scheduleSave()
      },
      Math.max(0, dueMs - now()),
    )
  }

  /** Bounds what a long outage's leftovers take of the disk, the network and this thread, besides what is new. */
  #mayReplay(): boolean {
    const { config, now, schedule, onWork } = this.#options
    const nowMs = now()
    const refillBytes = ((nowMs - this.#allowanceMs) / 1000) * config.replayBytesPerSecondMax
    this.#allowanceBytes = Math.min(this.#allowanceBytes + refillBytes, config.replayBytesPerSecondMax)
    this.#allowanceMs = nowMs
    if (this.#allowanceBytes > 0) return true
    this.#cancelReplay ??= schedule(
      () => {
        this.#cancelReplay = undefined
        onWork()
      },
      (-this.#allowanceBytes / config.replayBytesPerSecondMax) * 1000 + 10,
    )
    return false
  }

  #tellOwner(): void {
    const { ownerId } = this.#spool
    if (this.#ownerIds.has(ownerId)) return
    this.#ownerIds.add(ownerId)
    this.#options.report({ kind: 'spool-owner', ownerId })
  }

  #onDrop({ reason, itemCount, owner }: SpoolDrop): void {
    const isOwn = owner === undefined || this.#ownerIds.has(owner.ownerId)
    const dropReason = dropReasons[reason]
    this.#options.report({
      kind: 'dropped',
      chunks: [{ chunkId: 0, itemCount, place: isOwn ? 'spool' : 'adopted' }],
      reason: dropReason,
      cause: dropCauses[reason],
    })
  }

  #describe(owner: AdoptedOwner): (WorkerMessage & { kind: 'adopted' })['owner'] {
    const { name, pid, host, ending, reason, lastSeenMs, itemCount, ownerId } = owner
    return { name, pid, host, ending, reason, lastSeenMs, itemCount, isOwn: this.#ownerIds.has(ownerId) }
  }
}
