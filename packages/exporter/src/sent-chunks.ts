import type { SettledChunk } from './messages.ts'

export interface SentChunk {
  readonly itemCount: number
  /** The bytes in use, in memory that both threads see. */
  readonly bytes: Uint8Array
  /** How many export threads died with it in their hands. */
  readonly crashCount: number
}

interface Waiter {
  readonly lastChunkId: number
  readonly stopsAtFailure: boolean
  /** Of those that were handed over before: chunks that are on disk and not settled, and items that did not arrive. */
  spooledChunkCount: number
  spooledItemCount: number
  undeliveredItemCount: number
  readonly end: () => void
}

/** Of more the garbage collector takes care: only a steady flow is worth it. */
const lentBuffersMax = 8

/**
 * The chunks that are handed over and not settled, in the order of their ids, and those who wait for them. A chunk that is on
 * disk leaves memory: of those only the number is known here.
 */
export class SentChunks {
  readonly #chunks = new Map<number, SentChunk>()
  readonly #waiters = new Set<Waiter>()
  readonly #onFree: (buffer: ArrayBufferLike) => void
  #lastChunkId = 0
  #bytes = 0
  /** Buffers of what is on disk now: free when it is settled, since the worker may be sending from them until then. */
  readonly #lent = new Map<number, ArrayBufferLike>()
  readonly #unpostedIds = new Set<number>()
  #spooledChunkCount = 0
  #spooledItemCount = 0

  /** `onFree` gets each buffer that nobody uses any more. */
  constructor(onFree: (buffer: ArrayBufferLike) => void) {
    this.#onFree = onFree
  }

  /** Memory that the unsettled chunks hold. */
  get bytes(): number {
    return this.#bytes
  }

  /** The id that `add` gives next. */
  get nextChunkId(): number {
    return this.#lastChunkId + 1
  }

  get hasUnposted(): boolean {
    return this.#unpostedIds.size > 0
  }

  /** Chunks in memory, with their ids. */
  entries(): IterableIterator<[number, SentChunk]> {
    return this.#chunks.entries()
  }

  /** Nothing is on the way, neither in memory nor on disk. */
  get isEmpty(): boolean {
    return this.#chunks.size === 0 && this.#spooledChunkCount === 0
  }

  /** A chunk is handed over, and waits for `takeUnposted`. */
  add(chunk: Pick<SentChunk, 'bytes' | 'itemCount'>): void {
    this.#chunks.set(++this.#lastChunkId, { ...chunk, crashCount: 0 })
    this.#unpostedIds.add(this.#lastChunkId)
    this.#bytes += chunk.bytes.buffer.byteLength
  }

  /** Those that no worker has yet, oldest first; they count as posted from now on. */
  takeUnposted(): readonly (readonly [number, SentChunk])[] {
    const unposted = [...this.#unpostedIds].toSorted((a, b) => a - b)
    this.#unpostedIds.clear()
    return unposted.flatMap((chunkId) => {
      const chunk = this.#chunks.get(chunkId)
      return chunk === undefined ? [] : [[chunkId, chunk] as const]
    })
  }

  /** They are on disk: memory forgets them. Returns how many items they have. */
  spool(chunkIds: readonly number[]): number {
    let itemCount = 0
    for (const chunkId of chunkIds) {
      const chunk = this.#remove(chunkId)
      if (chunk === undefined) continue
      itemCount += chunk.itemCount
      this.#spooledChunkCount++
      this.#lend(chunkId, chunk.bytes.buffer)
      for (const waiter of this.#waiters) {
        if (chunkId > waiter.lastChunkId) continue
        waiter.spooledChunkCount++
        waiter.spooledItemCount += chunk.itemCount
      }
    }
    this.#spooledItemCount += itemCount
    this.#endWaiters()
    return itemCount
  }

  /**
   * Settles chunks, wherever they are. Returns how many items were in memory and how many on disk; `undeliveredItemCount` of
   * all did not arrive (default: all).
   */
  settle(
    chunks: readonly SettledChunk[],
    undeliveredItemCount?: number,
  ): { pendingItemCount: number; spooledItemCount: number } {
    const settled = { pendingItemCount: 0, spooledItemCount: 0 }
    let firstId = Number.POSITIVE_INFINITY
    for (const { chunkId, itemCount, place } of chunks) {
      if (place === 'adopted') continue
      firstId = Math.min(firstId, chunkId)
      const chunk = this.#remove(chunkId)
      if (chunk !== undefined) {
        settled.pendingItemCount += chunk.itemCount
        this.#onFree(chunk.bytes.buffer)
      } else if (place === 'spool' && this.#spooledChunkCount > 0) {
        // After a crash there may be more on disk than this thread was told of.
        const known = Math.min(itemCount, this.#spooledItemCount)
        settled.spooledItemCount += known
        this.#settleSpooled(chunkId, known)
        this.#takeBack(chunkId)
      }
    }
    const all = settled.pendingItemCount + settled.spooledItemCount
    for (const waiter of this.#waiters)
      if (firstId <= waiter.lastChunkId) waiter.undeliveredItemCount += undeliveredItemCount ?? all
    this.#endWaiters()
    return settled
  }

  /** Settles all that is in memory as undelivered; returns how many items that are. */
  settleAll(): number {
    const chunks = [...this.#chunks].map(
      ([chunkId, { itemCount }]): SettledChunk => ({ chunkId, itemCount, place: 'memory' }),
    )
    return this.settle(chunks).pendingItemCount
  }

  /** An export thread died: each chunk in memory gets another chance, but only one. Returns those that had it already. */
  crashed(): readonly SettledChunk[] {
    const givenUp: SettledChunk[] = []
    for (const [chunkId, chunk] of this.#chunks) {
      const { itemCount, crashCount } = chunk
      if (this.#unpostedIds.has(chunkId)) continue
      if (crashCount > 0) givenUp.push({ chunkId, itemCount, place: 'memory' })
      else {
        this.#chunks.set(chunkId, { ...chunk, crashCount: 1 })
        this.#unpostedIds.add(chunkId)
      }
    }
    return givenUp
  }

  attemptFailed(): void {
    for (const waiter of this.#waiters) if (waiter.stopsAtFailure) waiter.end()
  }

  /** Resolves with how many items of the chunks sent until now have not arrived, when all are settled or time is up. */
  whenSettled(options: { readonly timeoutMs: number; readonly stopsAtFailure: boolean }): Promise<number> {
    if (this.isEmpty) return Promise.resolve(0)
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#waiters.delete(waiter)
        const waiting = this.#itemCountUntil(waiter.lastChunkId) + waiter.spooledItemCount
        resolve(waiter.undeliveredItemCount + waiting)
      }
      // Not unref'd: it keeps the process alive for the one who awaits this, and only so long.
      const timer = setTimeout(end, options.timeoutMs)
      const waiter: Waiter = {
        lastChunkId: this.#lastChunkId,
        stopsAtFailure: options.stopsAtFailure,
        spooledChunkCount: this.#spooledChunkCount,
        spooledItemCount: this.#spooledItemCount,
        undeliveredItemCount: 0,
        end,
      }
      this.#waiters.add(waiter)
    })
  }

  #remove(chunkId: number): SentChunk | undefined {
    const chunk = this.#chunks.get(chunkId)
    if (chunk === undefined) return undefined
    this.#unpostedIds.delete(chunkId)
    this.#chunks.delete(chunkId)
    this.#bytes -= chunk.bytes.buffer.byteLength
    return chunk
  }

  #lend(chunkId: number, buffer: ArrayBufferLike): void {
    this.#lent.set(chunkId, buffer)
    if (this.#lent.size <= lentBuffersMax) return
    const [oldestId = 0] = this.#lent.keys()
    this.#lent.delete(oldestId)
  }

  #takeBack(chunkId: number): void {
    const buffer = this.#lent.get(chunkId)
    if (buffer === undefined) return
    this.#lent.delete(chunkId)
    this.#onFree(buffer)
  }

  #settleSpooled(chunkId: number, itemCount: number): void {
    this.#spooledChunkCount--
    this.#spooledItemCount -= itemCount
    for (const waiter of this.#waiters) {
      if (chunkId > waiter.lastChunkId) continue
      waiter.spooledChunkCount--
      waiter.spooledItemCount -= itemCount
    }
  }

  #endWaiters(): void {
    const [oldestId = Number.POSITIVE_INFINITY] = this.#chunks.keys()
    for (const waiter of this.#waiters)
      if (oldestId > waiter.lastChunkId && waiter.spooledChunkCount <= 0) waiter.end()
  }

  #itemCountUntil(lastChunkId: number): number {
    let itemCount = 0
    for (const [chunkId, chunk] of this.#chunks) if (chunkId <= lastChunkId) itemCount += chunk.itemCount
    return itemCount
  }
}
