import type { Diagnostics } from './diagnostics.ts'
import type { DropReason, LedgerBook } from './ledger.ts'
import type { SettledChunk, WorkerMessage } from './messages.ts'
import type { SentChunks } from './sent-chunks.ts'

export interface ExportAccountParts {
  readonly book: LedgerBook
  readonly sent: SentChunks
  readonly diagnostics: Diagnostics
}

/** What the worker says, brought into the ledger, to those who wait, and to the operator. */
export class ExportAccount {
  readonly #book: LedgerBook
  readonly #sent: SentChunks
  readonly #diagnostics: Diagnostics
  readonly #savedWaiters = new Set<() => void>()
  /** Counts failed attempts, so that one who waits sees that there was another. */
  failureCount = 0
  /** Counts the worker's answers to `save`. */
  savedCount = 0

  constructor({ book, sent, diagnostics }: ExportAccountParts) {
    this.#book = book
    this.#sent = sent
    this.#diagnostics = diagnostics
  }

  hear(message: WorkerMessage): void {
    switch (message.kind) {
      case 'delivered':
        this.#deliver(message.chunks, message.rejectedItemCount, message.note)
        break
      case 'dropped':
        if (isAnswer(message.reason)) this.#diagnostics.answered()
        this.drop(message.reason, message.chunks, message.cause)
        break
      case 'attempt-failed':
        this.failureCount++
        this.#diagnostics.attemptFailed(message.cause, this.#book)
        this.#sent.attemptFailed()
        break
      case 'spooled':
        this.#book.spool(this.#sent.spool(message.chunkIds))
        break
      case 'spool-failed':
        this.#diagnostics.spoolFailed(message.cause, this.#book.pending)
        break
      case 'adopted':
        if (message.owner.isOwn || message.owner.itemCount === 0) break
        this.#book.adopt(message.owner.itemCount)
        this.#diagnostics.adopted(message.owner)
        break
      case 'said':
        this.#diagnostics.say(message.message)
        break
      case 'interrupted':
        this.#book.adopt(message.owner.itemCount)
        this.#diagnostics.interrupted(message.owner)
        break
      case 'saved':
        this.savedCount++
        for (const end of this.#savedWaiters) end()
        break
    }
  }

  /** Resolves at the next `saved`, at the latest after `timeoutMs`. */
  whenSaved(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#savedWaiters.delete(end)
        resolve()
      }
      const timer = setTimeout(end, timeoutMs)
      this.#savedWaiters.add(end)
    })
  }

  tellSpooled(): void {
    if (this.#book.spooled > 0) this.#diagnostics.spooledAtEnd(this.#book.spooled)
  }

  /** Chunks are given up, wherever they are. */
  drop(reason: DropReason, chunks: readonly SettledChunk[], cause: string): void {
    const adopted = adoptedCount(chunks)
    if (adopted > 0) this.#book.dropAdopted(reason, adopted)
    const settled = this.#sent.settle(chunks)
    this.#book.drop(reason, settled)
    const itemCount = adopted + settled.pendingItemCount + settled.spooledItemCount
    if (itemCount > 0) this.#diagnostics.dropped(reason, itemCount, cause)
  }

  /** Everything in memory is given up. */
  dropAll(reason: DropReason, cause: string): void {
    const itemCount = this.#sent.settleAll()
    if (itemCount === 0) return
    this.#book.drop(reason, { pendingItemCount: itemCount, spooledItemCount: 0 })
    this.#diagnostics.dropped(reason, itemCount, cause)
  }

  /** An item that ended is not taken. */
  refuse(reason: DropReason, cause: string): void {
    this.#book.refuse(reason)
    this.#diagnostics.dropped(reason, 1, cause)
  }

  #deliver(chunks: readonly SettledChunk[], rejectedItemCount: number, note: string): void {
    const adopted = adoptedCount(chunks)
    if (adopted > 0) this.#book.deliverAdopted(adopted, rejectedItemCount)
    else this.#book.deliver(this.#sent.settle(chunks, rejectedItemCount), rejectedItemCount)
    this.#diagnostics.answered()
    if (rejectedItemCount > 0) this.#diagnostics.dropped('rejected', rejectedItemCount, note)
    else if (note !== '') this.#diagnostics.note(note)
  }
}

/** A request never mixes adopted chunks with others. */
function adoptedCount(chunks: readonly SettledChunk[]): number {
  return chunks.reduce((sum, { place, itemCount }) => (place === 'adopted' ? sum + itemCount : sum), 0)
}

/** The collector said so: it is there. */
function isAnswer(reason: DropReason): boolean {
  return reason.startsWith('http_') || reason.startsWith('grpc_') || reason === 'answer_too_large'
}
