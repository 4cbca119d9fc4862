import type { ExportEvent, RetryLimits } from '../messages.ts'
import type { Transport } from './answer.ts'
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
}

export interface QueuedChunk {
  readonly chunkId: number
  readonly bytes: Uint8Array
}

interface ExportRequest {
  readonly chunks: readonly QueuedChunk[]
  readonly body: Uint8Array
  firstAttemptMs: number | undefined
}

/**
 * Holds chunks until the collector has answered for them: forms requests, sends several at once while all is well and
 * one at a time while the collector fails, retries, gives up. It is bounded by its feeder, which counts the bytes that it has handed
 * over and not seen settled.
 *
 * A request that failed goes behind what has not been tried yet, so that one that the collector never takes (a proxy
 * that answers 502 to this body) cannot hold up the others.
 */
export class ExportQueue {
  readonly #options: ExportQueueOptions
  readonly #chunks: QueuedChunk[] = []
  readonly #failed: ExportRequest[] = []
  #requestBytesMax: number
  #inFlightCount = 0
  #failureCount = 0
  #takeFailedNext = false
  #isStopped = false
  #cancelWait: (() => void) | undefined
  #waitIsServersWish = false
  #waitEndMs = 0
  #waitCause = ''

  constructor(options: ExportQueueOptions) {
    this.#options = options
    this.#requestBytesMax = options.requestBytesMax
  }

  add(chunk: QueuedChunk): void {
    this.#chunks.push(chunk)
    this.#pump()
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

  /** Forgets everything, sends and reports nothing more. */
  stop(): void {
    this.#isStopped = true
    this.#endWait()
    this.#chunks.length = 0
    this.#failed.length = 0
  }

  #pump(): void {
    while (this.#cancelWait === undefined) {
      const inFlightMax = this.#failureCount > 0 ? 1 : this.#options.concurrentRequestsMax
      if (this.#inFlightCount >= inFlightMax) return
      const request = this.#takeRequest()
      if (request === undefined) return
      void this.#send(request)
    }
  }

  /** Untried and failed requests take turns, so that neither starves the other. */
  #takeRequest(): ExportRequest | undefined {
    const takeFailed = this.#chunks.length === 0 || this.#takeFailedNext
    this.#takeFailedNext = !takeFailed
    return (takeFailed ? this.#failed.shift() : undefined) ?? this.#formRequest()
  }

  /** Chunks are valid requests, and so is their concatenation: https://protobuf.dev/programming-guides/encoding/#last-one-wins */
  #formRequest(): ExportRequest | undefined {
    let sizeBytes = 0
    let count = 0
    for (const { bytes } of this.#chunks) {
      if (count > 0 && sizeBytes + bytes.length > this.#requestBytesMax) break
      sizeBytes += bytes.length
      count++
    }
    const [first, ...others] = this.#chunks.splice(0, count)
    if (first === undefined) return undefined
    if (others.length === 0) return { chunks: [first], body: first.bytes, firstAttemptMs: undefined }
    const body = new Uint8Array(sizeBytes)
    let offset = 0
    for (const { bytes } of [first, ...others]) {
      body.set(bytes, offset)
      offset += bytes.length
    }
    return { chunks: [first, ...others], body, firstAttemptMs: undefined }
  }

  async #send(request: ExportRequest): Promise<void> {
    const { report, transport, now } = this.#options
    const chunkIds = request.chunks.map(({ chunkId }) => chunkId)
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
      this.#isAnswered()
    } else {
      this.#isAnswered()
      if (answer.kind === 'accepted')
        report({
          kind: 'delivered',
          chunkIds,
          rejectedItemCount: answer.rejectedItemCount,
          note: answer.note,
        })
      else report({ kind: 'dropped', chunkIds, reason: answer.reason, cause: answer.cause })
    }
    this.#pump()
  }

  /** The collector is there, whatever it says. */
  #isAnswered(): void {
    this.#failureCount = 0
    this.#endWait()
  }

  #retryLater(request: ExportRequest, answer: { cause: string; delayMs: number | undefined }): void {
    const { report, retry, random, now } = this.#options
    const chunkIds = request.chunks.map(({ chunkId }) => chunkId)
    // Requests that were sent together fail together: that is one failure of the collector, not several.
    if (this.#cancelWait === undefined) this.#failureCount++
    const retryDelayMs = answer.delayMs ?? backoffDelayMs(this.#failureCount, retry, random)
    const elapsedMs = now() - (request.firstAttemptMs ?? now()) + retryDelayMs
    report({ kind: 'attempt-failed', cause: answer.cause, retryDelayMs })
    if (elapsedMs > retry.elapsedMsMax)
      report({ kind: 'dropped', chunkIds, reason: 'retry_exhausted', cause: answer.cause })
    else this.#failed.push(request)
    this.#wait(retryDelayMs, answer)
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
