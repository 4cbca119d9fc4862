export interface SentChunk {
  readonly itemCount: number
  /** Bytes of the chunk that are in use. */
  readonly sizeBytes: number
  /** Bytes of the buffer that holds it. */
  readonly bufferBytes: number
}

interface Waiter {
  readonly lastChunkId: number
  readonly stopsAtFailure: boolean
  undeliveredItemCount: number
  readonly end: () => void
}

/** The chunks in the worker's hands, in the order of their ids, and those who wait for them. */
export class SentChunks {
  readonly #chunks = new Map<number, SentChunk>()
  readonly #waiters = new Set<Waiter>()
  #lastChunkId = 0
  #bytes = 0

  /** Memory that these chunks hold: the whole buffer until it is recycled, then the worker's copy of the used part. */
  get bytes(): number {
    return this.#bytes
  }

  /** Returns the id under which the worker settles the chunk. */
  add(chunk: SentChunk): number {
    this.#chunks.set(++this.#lastChunkId, chunk)
    this.#bytes += chunk.bufferBytes
    return this.#lastChunkId
  }

  recycle(chunkId: number): void {
    const chunk = this.#chunks.get(chunkId)
    if (chunk === undefined) return
    this.#bytes -= chunk.bufferBytes - chunk.sizeBytes
    this.#chunks.set(chunkId, { ...chunk, bufferBytes: chunk.sizeBytes })
  }

  /** Returns how many spans are settled by this; `undeliveredItemCount` of them did not arrive (default: all). */
  settle(chunkIds: readonly number[], undeliveredItemCount?: number): number {
    let itemCount = 0
    for (const chunkId of chunkIds) {
      const chunk = this.#chunks.get(chunkId)
      if (chunk === undefined) continue
      this.#chunks.delete(chunkId)
      this.#bytes -= chunk.bufferBytes
      itemCount += chunk.itemCount
    }
    const [firstId = 0] = chunkIds
    for (const waiter of this.#waiters)
      if (firstId <= waiter.lastChunkId) waiter.undeliveredItemCount += undeliveredItemCount ?? itemCount
    const [oldestId = Number.POSITIVE_INFINITY] = this.#chunks.keys()
    for (const waiter of this.#waiters) if (oldestId > waiter.lastChunkId) waiter.end()
    return itemCount
  }

  /** Settles all as undelivered. */
  settleAll(): number {
    return this.settle([...this.#chunks.keys()])
  }

  attemptFailed(): void {
    for (const waiter of this.#waiters) if (waiter.stopsAtFailure) waiter.end()
  }

  /** Resolves with how many spans of the chunks sent until now have not arrived, when all are settled or time is up. */
  whenSettled(options: { readonly timeoutMs: number; readonly stopsAtFailure: boolean }): Promise<number> {
    if (this.#chunks.size === 0) return Promise.resolve(0)
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#waiters.delete(waiter)
        resolve(waiter.undeliveredItemCount + this.#itemCountUntil(waiter.lastChunkId))
      }
      // Not unref'd: it keeps the process alive for the one who awaits this, and only so long.
      const timer = setTimeout(end, options.timeoutMs)
      const waiter: Waiter = {
        lastChunkId: this.#lastChunkId,
        stopsAtFailure: options.stopsAtFailure,
        undeliveredItemCount: 0,
        end,
      }
      this.#waiters.add(waiter)
    })
  }

  #itemCountUntil(lastChunkId: number): number {
    let itemCount = 0
    for (const [chunkId, chunk] of this.#chunks) if (chunkId <= lastChunkId) itemCount += chunk.itemCount
    return itemCount
  }
}
