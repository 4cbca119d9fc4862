import type { ChunkEncoder } from '@throughline/otlp'
import { Diagnostics } from './diagnostics.ts'
import { endpointText } from './endpoint.ts'
import { type DropReason, type Ledger, LedgerBook } from './ledger.ts'
import type { WorkerMessage } from './messages.ts'
import type { ExporterSettings } from './options.ts'
import { SentChunks } from './sent-chunks.ts'
import type { ScopedItem, Signal } from './signal.ts'
import { WorkerHandle } from './worker-handle.ts'

const chunkSizeBytes = 256 * 1024
/** Buffers kept for reuse. Two are in play in a steady flow; more only after a burst. */
const idleBuffersMax = 4
const flushTimeoutMsDefault = 5_000

/** How long `forceFlush` and `shutdown` may take, and how hard they try. */
export interface FlushOptions {
  /** Default 5,000. */
  readonly timeoutMs?: number
  /** `false`: end the waiting at the first failed attempt instead of retrying until the timeout. Default `true`. */
  readonly retry?: boolean
}

/** What `forceFlush` and `shutdown` resolve with; they never reject. */
export interface FlushResult {
  /** Items that had ended before the call and are not with the collector: still waiting, dropped or rejected. */
  readonly undeliveredItemCount: number
}

/** The exporter's side on the host's thread, for items of one signal: encodes each as it ends, hands chunks over, keeps the account. */
export class ChunkExporter<Item extends ScopedItem> {
  readonly #signal: Signal<Item>
  readonly #settings: ExporterSettings
  readonly #encoder: ChunkEncoder<Item>
  readonly #book: LedgerBook
  readonly #worker: WorkerHandle
  readonly #diagnostics: Diagnostics
  readonly #timer: NodeJS.Timeout
  readonly #sent = new SentChunks()
  readonly #idleBuffers: ArrayBuffer[] = []
  #endedAtLastExit = 0
  #shutdown: Promise<FlushResult> | undefined

  constructor(signal: Signal<Item>, settings: ExporterSettings, onLedgerChange?: (ledger: Ledger) => void) {
    this.#signal = signal
    this.#settings = settings
    this.#book = new LedgerBook(onLedgerChange)
    this.#encoder = signal.createEncoder({
      resource: settings.resource,
      originUnixNano: settings.clock.originUnixNano,
      chunkSizeBytes,
    })
    this.#diagnostics = new Diagnostics({
      endpoint: endpointText(settings.worker),
      itemName: signal.itemName,
      write: settings.diagnostics,
      now: () => performance.now(),
    })
    this.#worker = new WorkerHandle({
      config: settings.worker,
      onMessage: (message) => {
        this.#onMessage(message)
      },
      onCrash: (cause, restarts) => {
        const end = restarts ? 'it is started again when needed' : 'it is not started again for now'
        this.#diagnostics.say(`the export thread crashed (${cause}); ${end}`)
        this.#drop('worker_crash', this.#sent.settleAll(), cause)
      },
    })
    // One timer for the exporter's life, refreshed by the first span of a chunk: a timer made in onEnd would hold the
    // context of that span. It fires once for nothing.
    this.#timer = setTimeout(() => {
      this.#handOver()
    }, settings.scheduleDelayMs).unref()
    if (settings.exitTimeoutMs > 0) process.on('beforeExit', this.#onBeforeExit)
    process.on('exit', this.#onExit)
  }

  start(): void {
    if (this.#shutdown === undefined) this.#worker.start()
  }

  onEnd(item: Item): void {
    if (this.#shutdown !== undefined) {
      this.#refuse('after_shutdown', 'the exporter is shut down')
    } else if (this.#sent.bytes + this.#encoder.sizeBytes >= this.#settings.queueBytesMax) {
      this.#refuse('queue_full', `${this.#settings.queueBytesMax} bytes wait for the collector`)
    } else {
      this.#encode(item)
    }
  }

  ledger(): Ledger {
    return this.#book.read()
  }

  /** Hands over what has ended and resolves when all of it is settled, at the latest after `timeoutMs`. Never rejects. */
  async forceFlush(options: FlushOptions = {}): Promise<FlushResult> {
    this.#handOver()
    const settled = this.#sent.whenSettled({
      timeoutMs: options.timeoutMs ?? flushTimeoutMsDefault,
      stopsAtFailure: options.retry === false,
    })
    if (this.#sent.bytes > 0) this.#worker.post({ kind: 'flush' })
    return { undeliveredItemCount: await settled }
  }

  /** Flushes, gives up what is left then, and ends the worker. Spans that end later are counted as dropped. Never rejects. */
  shutdown(options: FlushOptions = {}): Promise<FlushResult> {
    this.#shutdown ??= this.#shutDown(options)
    return this.#shutdown
  }

  async #shutDown(options: FlushOptions): Promise<FlushResult> {
    const result = await this.forceFlush(options)
    clearTimeout(this.#timer)
    const cause = `${endpointText(this.#settings.worker)} did not take them in time`
    this.#drop('shutdown_timeout', this.#sent.settleAll(), cause)
    await this.#worker.stop()
    process.off('beforeExit', this.#onBeforeExit)
    process.off('exit', this.#onExit)
    return result
  }

  #encode(item: Item): void {
    try {
      let result = this.#encoder.add(item)
      if (result === 'full') {
        this.#handOver()
        result = this.#encoder.add(item)
      }
      if (result !== 'ok') {
        this.#refuse(
          this.#signal.tooLargeReason,
          `${this.#signal.describe(item)} does not fit into any chunk`,
        )
        return
      }
    } catch (error) {
      this.#refuse('encode_error', String(error))
      return
    }
    this.#book.accept()
    if (this.#encoder.itemCount === 1) this.#timer.refresh()
  }

  #handOver(): void {
    const { itemCount } = this.#encoder
    if (itemCount === 0) return
    const bytes = this.#encoder.finish()
    const buffer = bytes.buffer as ArrayBuffer // The encoder writes into what attach() gave it, never a shared buffer.
    if (!this.#worker.isAvailable) {
      this.#drop('worker_unavailable', itemCount, 'the export thread cannot run')
      this.#encoder.attach(buffer)
      return
    }
    const sizeBytes = bytes.length
    const chunkId = this.#sent.add({ itemCount, sizeBytes, bufferBytes: buffer.byteLength })
    this.#worker.post({ kind: 'chunk', chunkId, buffer, sizeBytes }, [buffer])
    const idleBuffer = this.#idleBuffers.pop()
    if (idleBuffer !== undefined) this.#encoder.attach(idleBuffer)
  }

  #onMessage(message: WorkerMessage): void {
    switch (message.kind) {
      case 'recycled':
        this.#sent.recycle(message.chunkId)
        // The encoder makes a larger buffer for a single huge span; that one is not worth keeping.
        if (this.#idleBuffers.length < idleBuffersMax && message.buffer.byteLength === chunkSizeBytes)
          this.#idleBuffers.push(message.buffer)
        break
      case 'delivered':
        this.#onDelivered(message.chunkIds, message.rejectedItemCount, message.note)
        break
      case 'dropped':
        if (message.reason !== 'retry_exhausted') this.#diagnostics.answered()
        this.#drop(message.reason, this.#sent.settle(message.chunkIds), message.cause)
        break
      case 'attempt-failed':
        this.#diagnostics.attemptFailed(message.cause, this.#book.pending)
        this.#sent.attemptFailed()
        break
      case 'said':
        this.#diagnostics.say(message.message)
        break
    }
  }

  #onDelivered(chunkIds: readonly number[], rejectedItemCount: number, note: string): void {
    const itemCount = this.#sent.settle(chunkIds, rejectedItemCount)
    this.#book.deliver(itemCount, rejectedItemCount)
    this.#diagnostics.answered()
    if (rejectedItemCount > 0) this.#diagnostics.dropped('rejected', rejectedItemCount, note)
    else if (note !== '') this.#diagnostics.note(note)
  }

  #drop(reason: DropReason, itemCount: number, cause: string): void {
    if (itemCount === 0) return
    this.#book.drop(reason, itemCount)
    this.#diagnostics.dropped(reason, itemCount, cause)
  }

  #refuse(reason: DropReason, cause: string): void {
    this.#book.refuse(reason)
    this.#diagnostics.dropped(reason, 1, cause)
  }

  // The event comes again after each flush, as long as a flush gave the process something to do: only spans that ended
  // since the last one are a reason for another.
  readonly #onBeforeExit = (): void => {
    const { ended, pending } = this.#book.read()
    if (pending === 0 || ended === this.#endedAtLastExit) return
    this.#endedAtLastExit = ended
    void this.forceFlush({ timeoutMs: this.#settings.exitTimeoutMs, retry: false })
  }

  readonly #onExit = (): void => {
    const { pending } = this.#book.read()
    if (pending > 0)
      this.#diagnostics.say(
        `the process ends with ${this.#diagnostics.countText(pending)} not delivered; await shutdown() before it does`,
      )
  }
}
