import type { ChunkEncoder } from '@throughline/otlp'
import { Diagnostics } from './diagnostics.ts'
import { ExportAccount } from './export-account.ts'
import { ExporterEnd } from './exporter-end.ts'
import { writeToSpool } from './host-spool.ts'
import { type AdoptedLedger, type Ledger, LedgerBook } from './ledger.ts'
import { ledgerText } from './ledger-text.ts'
import type { HostMessage, SpoolConfig } from './messages.ts'
import type { ExporterSettings } from './options.ts'
import { watchProcessEnd } from './process-end.ts'
import { SentChunks } from './sent-chunks.ts'
import type { ScopedItem, Signal } from './signal.ts'
import { startFlusher } from './start-flusher.ts'
import { openChunk } from './worker/control.ts'
import { endpointText } from './worker/endpoint.ts'
import { WorkerHandle } from './worker-handle.ts'

const chunkSizeBytes = 256 * 1024
/** Buffers kept for reuse. Two are in play in a steady flow; more only after a burst. */
const idleBuffersMax = 4
const flushTimeoutMsDefault = 5_000
const saveTimeoutMs = 1_000
/** With a spool the thread is started by now even if nothing has ended, to deliver what other processes have left. */
const adoptionDelayMs = 1_000

/** How long `forceFlush` and `shutdown` may take, and how hard they try. */
export interface FlushOptions {
  /** Default 5,000. */
  readonly timeoutMs?: number
  /** `false`: end the waiting at the first failed attempt instead of retrying until the timeout. Default `true`. */
  readonly retry?: boolean
}

/** What `forceFlush` and `shutdown` resolve with; they never reject. */
export interface FlushResult {
  /** Items that had ended before the call and are not with the collector: waiting in memory or on disk, dropped or rejected. */
  readonly undeliveredItemCount: number
}

/** What belongs to a signal alone and has to keep step with its chunks. */
export interface ChunkCompanion {
  /** What is posted now reaches the worker before the next chunk. */
  beforePost(): void
  /** A worker has crashed with all that it knew. */
  onWorkerGone(): void
}

/** The exporter's side on the host's thread, for items of one signal: encodes each as it ends, hands chunks over, keeps the account. */
export class ChunkExporter<Item extends ScopedItem> {
  readonly #signal: Signal<Item>
  readonly #settings: ExporterSettings
  readonly #encoder: ChunkEncoder<Item>
  readonly #book: LedgerBook
  readonly #diagnostics: Diagnostics
  readonly #worker: WorkerHandle
  readonly #account: ExportAccount
  readonly #end: ExporterEnd
  readonly #timer: NodeJS.Timeout
  readonly #adoptionTimer: NodeJS.Timeout | undefined
  readonly #sent: SentChunks
  readonly #idleBuffers: ArrayBufferLike[] = []
  readonly #unwatchEnd: () => void
  /** How old the current chunk may get while the event loop is blocked, so that no timer hands it over. */
  readonly #chunkAgeMsMax: number
  /** What the worker sees of the open chunk; undefined without a spool, where it does not look. */
  readonly #open: Int32Array | undefined
  #chunkStartMs = 0
  #roomAskedBytes = 0
  readonly #companion: ChunkCompanion | undefined
  #shutdown: Promise<FlushResult> | undefined

  constructor(
    signal: Signal<Item>,
    settings: ExporterSettings,
    onLedgerChange?: (ledger: Ledger) => void,
    companion?: ChunkCompanion,
  ) {
    this.#signal = signal
    this.#companion = companion
    this.#settings = settings
    const { spool } = settings.worker
    this.#encoder = signal.createEncoder({
      resource: settings.resource,
      originUnixNano: settings.clock.originUnixNano,
      chunkSizeBytes,
      // Both threads see it: what is handed over need not be copied, and is still here when the worker dies.
      createBuffer: (sizeBytes) => new SharedArrayBuffer(sizeBytes),
    })
    this.#diagnostics = new Diagnostics({
      endpoint: endpointText(settings.worker),
      itemName: signal.itemName,
      spoolDir: spool?.dir,
      write: settings.diagnostics,
      now: () => performance.now(),
    })
    this.#book = new LedgerBook(onLedgerChange)
    this.#sent = new SentChunks((buffer) => this.#recycle(buffer))
    this.#account = new ExportAccount({ book: this.#book, sent: this.#sent, diagnostics: this.#diagnostics })
    this.#worker = new WorkerHandle({
      config: settings.worker,
      onMessage: (message) => {
        if (message.kind === 'room-made') this.#roomAskedBytes = 0
        else this.#account.hear(message)
      },
      onCrash: (cause, restarts) => {
        const end = restarts ? 'it is started again' : 'it is not started again for now'
        this.#diagnostics.say(`the export thread crashed (${cause}); ${end}`)
        this.#onCrash(cause)
      },
    })
    this.#end = new ExporterEnd({
      settings,
      worker: this.#worker,
      sent: this.#sent,
      book: this.#book,
      account: this.#account,
      diagnostics: this.#diagnostics,
      finishChunk: () => this.#finishChunk(),
      post: () => this.#post(),
      tellLedger: () => this.#tellLedger(),
      flush: () => this.forceFlush({ timeoutMs: settings.exitTimeoutMs, retry: false }),
    })
    if (spool !== undefined) this.#open = new Int32Array(new SharedArrayBuffer(4 * openChunk.length))
    this.#chunkAgeMsMax = settings.scheduleDelayMs
    // One timer for the exporter's life, refreshed by the first span of a chunk: a timer made in onEnd would hold the
    // context of that span. It fires once for nothing.
    this.#timer = setTimeout(() => {
      this.#handOver()
    }, settings.scheduleDelayMs).unref()
    if (spool?.flusher === false)
      this.#adoptionTimer = setTimeout(() => {
        if (process.getBuiltinModule('node:fs').existsSync(spool.dir)) this.start()
      }, adoptionDelayMs).unref()
    this.#unwatchEnd = watchProcessEnd(this.#end)
  }

  start(): void {
    if (this.#shutdown === undefined) this.#worker.start()
  }

  onEnd(item: Item): void {
    if (this.#shutdown !== undefined) {
      this.#account.refuse('after_shutdown', 'the exporter is shut down')
    } else if (
      this.#sent.bytes + this.#encoder.sizeBytes >= this.#settings.queueBytesMax &&
      !this.#findRoom()
    ) {
      this.#account.refuse('queue_full', `${this.#settings.queueBytesMax} bytes wait for the collector`)
    } else {
      this.#encode(item)
    }
  }

  /** Tells the worker something beside chunks; starts one if need be. */
  post(message: HostMessage): void {
    if (this.#shutdown === undefined && this.#worker.isAvailable) this.#worker.post(message)
  }

  ledger(): Ledger {
    return this.#book.read()
  }

  adopted(): AdoptedLedger {
    return this.#book.readAdopted()
  }

  /** Hands over what has ended and resolves when all of it is settled, at the latest after `timeoutMs`. Never rejects. */
  async forceFlush(options: FlushOptions = {}): Promise<FlushResult> {
    this.#handOver()
    const settled = this.#sent.whenSettled({
      timeoutMs: options.timeoutMs ?? flushTimeoutMsDefault,
      stopsAtFailure: options.retry === false,
    })
    if (!this.#sent.isEmpty) this.#worker.post({ kind: 'flush' })
    return { undeliveredItemCount: await settled }
  }

  /**
   * Flushes, keeps what is left then on disk or gives it up, and ends the worker. Items that end later are counted as dropped.
   * Never rejects.
   */
  shutdown(options: FlushOptions = {}): Promise<FlushResult> {
    this.#shutdown ??= this.#shutDown(options)
    return this.#shutdown
  }

  async #shutDown(options: FlushOptions): Promise<FlushResult> {
    const { spool } = this.#settings.worker
    // With a disk to keep them, spans do not wait for a collector that is away; with a flusher for none.
    const result =
      spool?.flusher === true
        ? this.#beginHandOff()
        : await this.forceFlush(spool === undefined ? options : { ...options, retry: false })
    clearTimeout(this.#timer)
    clearTimeout(this.#adoptionTimer)
    if (spool !== undefined) await this.#saveAll()
    this.#account.dropAll(
      'shutdown_timeout',
      `${endpointText(this.#settings.worker)} did not take them in time`,
    )
    if (spool?.flusher === true && this.#book.spooled > 0) startFlusher(this.#settings.worker)
    await this.#worker.stop()
    this.#unwatchEnd()
    this.#tellLedger()
    return result
  }

  #tellLedger(): void {
    const { isDebugging } = this.#settings
    if (isDebugging)
      this.#diagnostics.say(`${this.#signal.name}: ${ledgerText(this.ledger(), this.adopted())}`)
  }

  #encode(item: Item): void {
    try {
      let result = this.#encoder.add(item)
      if (result === 'full') {
        this.#handOver()
        result = this.#encoder.add(item)
      }
      if (result !== 'ok') {
        const { tooLargeReason } = this.#signal
        this.#account.refuse(tooLargeReason, `${this.#signal.describe(item)} does not fit into any chunk`)
        return
      }
    } catch (error) {
      this.#account.refuse('encode_error', String(error))
      return
    }
    this.#book.accept()
    if (this.#encoder.itemCount === 1) this.#timer.refresh()
    if (this.#open !== undefined) this.#watchOpenChunk(this.#open, this.#signal.timeMs(item))
    if (this.#end.isOver) this.#end.saveLate()
  }

  /** While the event loop is blocked no timer hands over: the next item does, and if there is none the worker looks. */
  #watchOpenChunk(open: Int32Array, timeMs: number): void {
    const { itemCount, sizeBytes, bytes } = this.#encoder
    Atomics.store(open, openChunk.sizeBytes, sizeBytes)
    if (itemCount > 1) {
      if (timeMs - this.#chunkStartMs >= this.#chunkAgeMsMax) this.#handOver()
      return
    }
    this.#chunkStartMs = timeMs
    if (!this.#worker.isStarted) return
    const chunkId = this.#sent.nextChunkId
    Atomics.store(open, openChunk.chunkId, chunkId)
    this.#worker.post({ kind: 'open', chunkId, bytes, state: open })
  }

  #handOver(): void {
    this.#finishChunk()
    this.#post()
  }

  /** Moves the current chunk to those that are handed over. */
  #finishChunk(): void {
    const { itemCount } = this.#encoder
    if (itemCount === 0) return
    if (this.#open !== undefined) Atomics.store(this.#open, openChunk.chunkId, 0)
    const bytes = this.#encoder.finish()
    const { buffer } = bytes
    if (bytes.length * 2 > buffer.byteLength) {
      this.#sent.add({ itemCount, bytes })
      const idleBuffer = this.#idleBuffers.pop()
      if (idleBuffer !== undefined) this.#encoder.attach(idleBuffer)
      return
    }
    // A nearly empty chunk must not keep its whole buffer waiting through an outage.
    const copy = new Uint8Array(new SharedArrayBuffer(bytes.length))
    copy.set(bytes)
    this.#sent.add({ itemCount, bytes: copy })
    if (buffer.byteLength === chunkSizeBytes) this.#encoder.attach(buffer)
  }

  /** Gives the worker what it has not got yet. */
  #post(): void {
    if (!this.#sent.hasUnposted) return
    // A start that fails comes back here by onCrash, and in the end to doing without.
    this.#worker.start()
    if (!this.#worker.isAvailable) this.#doWithoutWorker()
    if (!this.#worker.isStarted) return
    this.#companion?.beforePost()
    for (const [chunkId, { itemCount, bytes }] of this.#sent.takeUnposted())
      this.#worker.post({ kind: 'chunk', chunkId, itemCount, bytes })
  }

  #doWithoutWorker(): void {
    const { spool } = this.#settings.worker
    if (spool !== undefined) this.#spoolHere(spool, 'no export thread')
    this.#account.dropAll('worker_unavailable', 'the export thread cannot run')
  }

  #spoolHere(spool: SpoolConfig, reason: string): void {
    const { writtenIds, drops } = writeToSpool(spool, this.#sent.entries(), reason)
    this.#book.spool(this.#sent.spool(writtenIds))
    for (const { reason, itemCount, cause } of drops)
      this.#account.drop(reason, [{ chunkId: 0, itemCount, place: 'spool' }], cause)
  }

  #onCrash(cause: string): void {
    this.#companion?.onWorkerGone()
    this.#account.drop('worker_crash', this.#sent.crashed(), cause)
    this.#post()
  }

  /** Keeps on disk what is not delivered. */
  async #saveAll(): Promise<void> {
    const { spool } = this.#settings.worker
    if (spool === undefined) return
    if (this.#worker.isReady) {
      const saved = this.#account.whenSaved(saveTimeoutMs)
      this.#worker.post({ kind: 'save', isFinal: true, reason: 'shutdown' })
      await saved
    }
    if (this.#book.pending > 0) {
      this.#worker.disown()
      this.#spoolHere(spool, 'shutdown')
    }
    if (!spool.flusher) this.#account.tellSpooled()
  }

  /** A thread that runs gets what it has not got yet; none is started. */
  #beginHandOff(): FlushResult {
    this.#finishChunk()
    if (this.#worker.isReady) this.#post()
    return { undeliveredItemCount: this.#book.pending + this.#book.spooled }
  }

  /** The event loop may be blocked, so that much is settled and not heard yet; and old chunks may have to give way. */
  #findRoom(): boolean {
    const { queueBytesMax, dropsOldest } = this.#settings
    this.#worker.drain()
    const excessBytes = this.#sent.bytes + this.#encoder.sizeBytes - queueBytesMax
    if (excessBytes < 0) return true
    if (!dropsOldest) return false
    if (this.#roomAskedBytes === 0) {
      this.#roomAskedBytes = Math.ceil(queueBytesMax / 16)
      this.#worker.post({ kind: 'make-room', sizeBytes: this.#roomAskedBytes })
    }
    // The worker drops them soon: until then memory holds a little more.
    return excessBytes < this.#roomAskedBytes
  }

  #recycle(buffer: ArrayBufferLike): void {
    // The encoder makes a larger buffer for a single huge span; that one is not worth keeping.
    if (this.#idleBuffers.length < idleBuffersMax && buffer.byteLength === chunkSizeBytes)
      this.#idleBuffers.push(buffer)
  }
}
