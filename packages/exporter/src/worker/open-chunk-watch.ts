import { sealOpenChunk } from '@throughline/otlp'
import type { Spool, SpoolRecord } from '@throughline/spool'
import type { HostMessage } from '../messages.ts'
import { chunkRecordKind, openChunk } from './control.ts'

export interface OpenChunkWatchOptions {
  readonly spool: Spool
  /** A chunk that is open for longer is copied to disk. */
  readonly ageMsMax: number
  /** Calls back once, after `delayMs`; the result cancels it. */
  readonly schedule: (callback: () => void, delayMs: number) => () => void
}

/**
 * Looks over the host's shoulder. A host whose event loop is blocked hands nothing over, and may be killed, or run out of memory,
 * while it is: what is in its open chunk by then is copied to disk from here. The copy goes as soon as the chunk comes.
 */
export class OpenChunkWatch {
  readonly #options: OpenChunkWatchOptions
  #open: (HostMessage & { kind: 'open' }) | undefined
  #cancel: (() => void) | undefined
  #copy: SpoolRecord | undefined
  #copiedBytes = 0

  constructor(options: OpenChunkWatchOptions) {
    this.#options = options
  }

  opened(open: HostMessage & { kind: 'open' }): void {
    this.stop()
    this.#open = open
    this.#watch()
  }

  /** The chunk is here. Returns its copy, to be acknowledged when the chunk itself is on disk. */
  arrived(chunkId: number): SpoolRecord | undefined {
    if (this.#open?.chunkId !== chunkId) return undefined
    const copy = this.#copy
    this.stop()
    return copy
  }

  stop(): void {
    this.#cancel?.()
    this.#open = undefined
    this.#copy = undefined
    this.#copiedBytes = 0
  }

  #watch(): void {
    this.#cancel = this.#options.schedule(() => {
      if (this.#open === undefined) return
      this.#save(this.#open)
      this.#watch()
    }, this.#options.ageMsMax)
  }

  #save({ chunkId, bytes, state }: HostMessage & { kind: 'open' }): void {
    const sizeBytes = Atomics.load(state, openChunk.sizeBytes)
    if (sizeBytes === this.#copiedBytes || Atomics.load(state, openChunk.chunkId) !== chunkId) return
    const payload = bytes.slice(0, sizeBytes)
    // Only now is it certain that the host has not begun another chunk in the same memory meanwhile.
    if (Atomics.load(state, openChunk.chunkId) !== chunkId) return
    const itemCount = sealOpenChunk(payload)
    if (itemCount === undefined) return
    const { spool } = this.#options
    const result = spool.append({ kind: chunkRecordKind, itemCount, payload })
    if (!result.ok) return
    if (this.#copy !== undefined) spool.acknowledge(this.#copy)
    this.#copy = result.record
    this.#copiedBytes = sizeBytes
  }
}
