import type { ExportEvent, RetryLimits, SettledChunk } from '../messages.ts'
import type { Transport } from './answer.ts'
import {
  countThatFit,
  type ExportRequest,
  isOneAccount,
  type QueuedChunk,
  requestOf,
  totalBytes,
} from './export-request.ts'
import { backoffDelayMs } from './retry.ts'

export interface ExportQueueOptions {
  readonly transport: Transport
  readonly retry: RetryLimits
  readonly requestBytesMax: number
  readonly concurrentRequestsMax: number
  readonly report: (event: ExportEvent) => void
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly random: () => number
  /** Calls back once, after `delayMs`; the result cancels it. */
  readonly schedule: (callback: () => void, delayMs: number) => () => void
  readonly disk?: ChunkDisk
}

/** Where chunks are kept beside memory, as the queue sees it. */
export interface ChunkDisk {
  /** The oldest chunk that is on disk only: it is in the queue's hands from now on. Undefined: none, or not now. */
  take(): QueuedChunk | undefined
  /** The queue lets go of it; false when it is in memory only, so that the queue has to keep it. */
  giveBack(chunk: QueuedChunk): boolean
  /** It is delivered or dropped. */
  settle(chunk: QueuedChunk): void
}

/** What is on disk stays in memory too up to this size, so that most of it need not be read back. */
const copiesBytesMax = 4 * 1024 * 1024

type Source = 'new' | 'failed' | 'disk'
const turns: readonly Source[] = ['new', 'disk', 'failed']

/**
 * Holds chunks until the collector has answered for them: forms requests, sends several at once while all is well and
 * one at a time while the collector fails, retries, gives up. What is in memory only is bounded by its feeder, which counts the
 * bytes that it has handed over and not seen settled or spooled.
 *
 * New chunks, those on disk and requests that failed take turns: none starves the others, and a request that the collector
 * never takes (a proxy that answers 502 to this body) cannot hold them up.
 */
export class ExportQueue {
  readonly #options: ExportQueueOptions
  readonly #chunks: QueuedChunk[] = []
  readonly #failed: ExportRequest[] = []
  #chunkBytes = 0
  #requestBytesMax: number
  /** Taken from the disk, and too large for the request that was formed then. */
  #heldOver: QueuedChunk | undefined
  #inFlightCount = 0
  #failureCount = 0
  #turn = 0
  #isStopped = false
  #replays = true
  #cancelWait: (() => void) | undefined
  #waitIsServersWish = false
  #waitEndMs = 0
  #waitCause = ''

  constructor(options: ExportQueueOptions) {
    this.#options = options
    this.#requestBytesMax = options.requestBytesMax
  }

  get isFailing(): boolean {
    return this.#failureCount > 0
  }

  /** Nothing is being sent, and nothing new waits for it. */
  get isIdle(): boolean {
    return this.#inFlightCount === 0 && this.#chunks.length === 0
  }

  add(chunk: QueuedChunk): void {
    this.#chunks.push(chunk)
    this.#chunkBytes += chunk.bytes.length
    this.trim()
    this.#pump()
  }

  /** There may be something on disk, or it may be time for it. */
  wake(): void {
    this.#pump()
  }

  /** Lets go of copies of what is on disk, the newest first, until the rest is small enough. */
  trim(): void {
    while (this.#chunkBytes > copiesBytesMax) {
      const last = this.#chunks.at(-1)
      if (last === undefined || this.#options.disk?.giveBack(last) !== true) return
      this.#chunks.pop()
      this.#chunkBytes -= last.bytes.length
    }
  }

  /** Tries at once what waits for a backoff. A delay that the collector asked for is kept, and told again. */
  flush(): void {
    if (this.#waitIsServersWish) {
      const retryDelayMs = Math.max(0, Math.round(this.#waitEndMs - this.#options.now()))
      this.#options.report({ kind: 'attempt-failed', cause: this.#waitCause, retryDelayMs })
      return
    }
    this.#endWait()
    this.#pump()
  }

  /** Drops the oldest chunks that are in memory only and not being sent, until `sizeBytes` are free. */
  dropOldest(sizeBytes: number): void {
    let leftBytes = sizeBytes
    const isDropped = ({ bytes, place }: QueuedChunk): boolean => {
      if (leftBytes <= 0 || place !== 'memory') return false
      leftBytes -= bytes.length
      return true
    }
    const dropped: QueuedChunk[] = []
    for (const request of this.#failed.splice(0)) {
      const gone = request.chunks.filter(isDropped)
      dropped.push(...gone)
      const rest = request.chunks.filter((chunk) => !gone.includes(chunk))
      if (rest.length > 0)
        this.#failed.push(
          gone.length === 0 ? request : { ...requestOf(rest), firstAttemptMs: request.firstAttemptMs },
        )
    }
    const kept = this.#chunks.splice(0).filter((chunk) => {
      if (!isDropped(chunk)) return true
      dropped.push(chunk)
      return false
    })
    this.#chunks.push(...kept)
    this.#chunkBytes = totalBytes(kept)
    if (dropped.length > 0) this.#drop(dropped, 'queue_full', 'the oldest gave way')
  }

  /** From now on only what is in memory is sent. */
  stopReplay(): void {
    this.#replays = false
  }

  /** Forgets everything, sends and reports nothing more. */
  stop(): void {
    this.#isStopped = true
    this.#endWait()
    this.#chunks.length = 0
    this.#failed.length = 0
  }

  #pump(): void {
    while (this.#cancelWait === undefined && !this.#isStopped) {
      const inFlightMax = this.#failureCount > 0 ? 1 : this.#options.concurrentRequestsMax
      if (this.#inFlightCount >= inFlightMax) return
      const request = this.#takeRequest()
      if (request === undefined) return
      void this.#send(request)
    }
  }

  #takeRequest(): ExportRequest | undefined {
    for (let tried = 0; tried < turns.length; tried++) {
      this.#turn = (this.#turn + 1) % turns.length
      const request = this.#takeFrom(turns[this.#turn])
      if (request !== undefined) return request
    }
    return undefined
  }

  #takeFrom(source: Source | undefined): ExportRequest | undefined {
    switch (source) {
      case 'failed':
        return this.#failed.shift()
      case 'disk':
        return this.#replays ? this.#takeFromDisk() : undefined
      default:
        return this.#takeNew()
    }
  }

  #takeNew(): ExportRequest | undefined {
    const chunks = this.#chunks.splice(0, countThatFit(this.#chunks, this.#requestBytesMax))
    if (chunks.length === 0) return undefined
    this.#chunkBytes -= totalBytes(chunks)
    return requestOf(chunks)
  }

  #takeFromDisk(): ExportRequest | undefined {
    const { disk } = this.#options
    const chunks: QueuedChunk[] = []
    for (let sizeBytes = 0; ; ) {
      const chunk = this.#heldOver ?? disk?.take()
      this.#heldOver = undefined
      if (chunk === undefined) break
      sizeBytes += chunk.bytes.length
      if (chunks.length > 0 && (!isOneAccount(chunk, chunks[0]) || sizeBytes > this.#requestBytesMax)) {
        this.#heldOver = chunk
        break
      }
      chunks.push(chunk)
    }
    return chunks.length === 0 ? undefined : requestOf(chunks)
  }

  async #send(request: ExportRequest): Promise<void> {
    const { transport, now } = this.#options
    request.firstAttemptMs ??= now()
    this.#inFlightCount++
    const answer = await transport.send(request.body)
    this.#inFlightCount--
    if (this.#isStopped) return
    if (answer.kind === 'retry') {
      this.#retryLater(request, answer)
    } else if (answer.kind === 'too-large' && request.chunks.length > 1) {
      // Half of it from now on. A request of one chunk cannot be made smaller; that one is dropped below.
      this.#requestBytesMax = Math.min(this.#requestBytesMax, Math.floor(request.body.length / 2))
      this.#chunks.unshift(...request.chunks)
      this.#chunkBytes += request.body.length
      this.#isAnswered()
    } else {
      this.#isAnswered()
      if (answer.kind === 'accepted') this.#deliver(request.chunks, answer)
      else this.#drop(request.chunks, answer.reason, answer.cause)
    }
    this.#pump()
  }

  /** The collector is there, whatever it says. */
  #isAnswered(): void {
    this.#failureCount = 0
    this.#endWait()
  }

  #deliver(
    chunks: readonly QueuedChunk[],
    { rejectedItemCount, note }: { rejectedItemCount: number; note: string },
  ): void {
    const settled = this.#settle(chunks)
    this.#options.report({ kind: 'delivered', chunks: settled, rejectedItemCount, note })
  }

  #drop(
    chunks: readonly QueuedChunk[],
    reason: (ExportEvent & { kind: 'dropped' })['reason'],
    cause: string,
  ): void {
    const settled = this.#settle(chunks)
    this.#options.report({ kind: 'dropped', chunks: settled, reason, cause })
  }

  #settle(chunks: readonly QueuedChunk[]): readonly SettledChunk[] {
    for (const chunk of chunks) this.#options.disk?.settle(chunk)
    return chunks.map(({ chunkId, itemCount, place }) => ({ chunkId, itemCount, place }))
  }

  #retryLater(request: ExportRequest, answer: { cause: string; delayMs: number | undefined }): void {
    const { report, retry, random, now } = this.#options
    // Requests that were sent together fail together: that is one failure of the collector, not several.
    if (this.#cancelWait === undefined) this.#failureCount++
    const retryDelayMs = answer.delayMs ?? backoffDelayMs(this.#failureCount, retry, random)
    const elapsedMs = now() - (request.firstAttemptMs ?? now()) + retryDelayMs
    // Who hears this writes to disk what is in memory only, if there is a disk.
    report({ kind: 'attempt-failed', cause: answer.cause, retryDelayMs })
    this.#keep(request, { isGivenUp: elapsedMs > retry.elapsedMsMax, cause: answer.cause })
    this.#wait(retryDelayMs, answer)
  }

  /** What is on disk has the disk's limits instead of a time, and stays there only when there are enough others to try. */
  #keep(request: ExportRequest, { isGivenUp, cause }: { isGivenUp: boolean; cause: string }): void {
    const { disk } = this.#options
    const failedBytes = this.#failed.reduce((sum, { body }) => sum + body.length, 0)
    const isMuch = failedBytes + request.body.length > copiesBytesMax
    const kept = request.chunks.filter((chunk) => !isMuch || disk?.giveBack(chunk) !== true)
    const expired = isGivenUp ? kept.filter(({ place }) => place === 'memory') : []
    if (expired.length > 0) this.#drop(expired, 'retry_exhausted', cause)
    const rest = kept.filter((chunk) => !expired.includes(chunk))
    if (rest.length === request.chunks.length) this.#failed.push(request)
    else if (rest.length > 0)
      this.#failed.push({ ...requestOf(rest), firstAttemptMs: request.firstAttemptMs })
  }

  #wait(delayMs: number, answer: { cause: string; delayMs: number | undefined }): void {
    const isServersWish = answer.delayMs !== undefined
    if (this.#cancelWait !== undefined) {
      if (this.#waitIsServersWish || !isServersWish) return
      this.#cancelWait()
    }
    this.#waitIsServersWish = isServersWish
    this.#waitEndMs = this.#options.now() + delayMs
    this.#waitCause = answer.cause
    this.#cancelWait = this.#options.schedule(() => {
      this.#endWait()
      this.#pump()
    }, delayMs)
  }

  #endWait(): void {
    this.#cancelWait?.()
    this.#cancelWait = undefined
    this.#waitIsServersWish = false
  }
}
