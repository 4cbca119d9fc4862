import type { Diagnostics } from './diagnostics.ts'
import type { ExportAccount } from './export-account.ts'
import { writeToSpool } from './host-spool.ts'
import type { LedgerBook } from './ledger.ts'
import type { ExporterSettings } from './options.ts'
import type { EndCause, Ending } from './process-end.ts'
import type { SentChunks } from './sent-chunks.ts'
import { startFlusher } from './start-flusher.ts'
import type { WorkerHandle } from './worker-handle.ts'

export interface ExporterEndParts {
  readonly settings: ExporterSettings
  readonly worker: WorkerHandle
  readonly sent: SentChunks
  readonly book: LedgerBook
  readonly account: ExportAccount
  readonly diagnostics: Diagnostics
  /** Ends the current chunk: its items are among the sent ones then. */
  readonly finishChunk: () => void
  /** Gives the worker what it has not got yet, and starts one if need be. */
  readonly post: () => void
  /** The last line, for those who debug. */
  readonly tellLedger: () => void
  /** Resolves when all is settled, or as far as it will be. */
  readonly flush: () => Promise<unknown>
}

/** What an exporter does at the end of its process: everything that has ended is delivered, or on disk, or told as lost. */
export class ExporterEnd implements Ending {
  readonly signals: readonly NodeJS.Signals[]
  readonly #parts: ExporterEndParts
  /** Time that this thread may still be blocked at its end. */
  #leftMs: number
  #endedAtLastIdle = 0
  /** The natural end has waited for these, as long as it was to. */
  #endedAndTried = 0
  #savedCountBefore = 0
  #failureCountBefore = 0
  /** The worker was asked to save, and will answer. */
  #isSaving = false
  /** The `exit` event is over for us: what ends now, in another listener of it, has only `saveLate`. */
  isOver = false

  constructor(parts: ExporterEndParts) {
    this.#parts = parts
    const { signals, abruptExitTimeoutMs } = parts.settings
    this.signals = signals
    this.#leftMs = abruptExitTimeoutMs
  }

  // The event comes again after each flush, as long as a flush gave the process something to do: only items that ended
  // since the last one are a reason for another.
  onIdle(): void {
    const { settings, book, flush } = this.#parts
    const { ended, pending, spooled } = book.read()
    if (pending + spooled === 0 || ended === this.#endedAtLastIdle) return
    this.#endedAtLastIdle = ended
    // Where a flusher delivers in the background nothing is waited for: the exit event writes.
    if (settings.exitTimeoutMs === 0 || settings.worker.spool?.flusher === true) this.#endedAndTried = ended
    else
      void flush().then(() => {
        this.#endedAndTried = ended
      })
  }

  beginEnd(cause: EndCause): void {
    this.#parts.settings.onEnd?.(cause)
    this.#begin(cause)
  }

  finishEnd(cause: EndCause): void {
    this.#finish(cause)
    if (cause.kind === 'exit') this.isOver = true
    if (isLast(cause)) this.#parts.tellLedger()
  }

  saveLate(): void {
    const cause: EndCause = { kind: 'exit', code: Number(process.exitCode ?? 0) }
    this.#begin(cause)
    this.#finish(cause)
  }

  #begin(cause: EndCause): void {
    const { settings, account, worker, post, finishChunk, book } = this.#parts
    finishChunk()
    this.#savedCountBefore = account.savedCount
    this.#failureCountBefore = account.failureCount
    this.#isSaving = false
    if (this.#leftMs <= 0) return
    if (settings.worker.spool === undefined) {
      if (book.pending === 0 || this.#isTried) return
      post()
      worker.post({ kind: 'flush' })
    } else {
      // One that still boots would hold the end up: then the host writes.
      this.#isSaving = worker.isReady
      if (!this.#isSaving) return
      post()
      worker.post({ kind: 'save', isFinal: isLast(cause), reason: nameOf(cause) })
    }
  }

  #finish(cause: EndCause): void {
    const { settings, worker, account, book } = this.#parts
    const { spool } = settings.worker
    const timeoutMs = this.#leftMs
    const startMs = performance.now()
    if (spool === undefined) {
      const isDone = (): boolean => book.pending === 0 || account.failureCount > this.#failureCountBefore
      if (book.pending > 0 && timeoutMs > 0 && !this.#isTried) worker.waitUntil(isDone, timeoutMs)
    } else {
      if (this.#isSaving) worker.waitUntil(() => account.savedCount > this.#savedCountBefore, timeoutMs)
      if (book.pending > 0 && (isLast(cause) || !this.#isSaving)) this.#writeRest(nameOf(cause))
    }
    if (!isLast(cause)) return
    this.#leftMs -= performance.now() - startMs
    this.#tell()
    if (spool?.flusher === true && book.spooled > 0) startFlusher(settings.worker)
  }

  get #isTried(): boolean {
    return this.#parts.book.read().ended === this.#endedAndTried
  }

  /** There is no worker that could, or it does not do it in time. */
  #writeRest(reason: string): void {
    const { settings, worker, sent, book, account, diagnostics } = this.#parts
    const { spool } = settings.worker
    if (spool === undefined) return
    worker.disown()
    const { writtenIds, cause, drops } = writeToSpool(spool, sent.entries(), reason)
    book.spool(sent.spool(writtenIds))
    for (const { reason, itemCount, cause } of drops)
      account.drop(reason, [{ chunkId: 0, itemCount, place: 'spool' }], cause)
    if (cause !== '') diagnostics.spoolFailed(cause, book.pending)
    if (writtenIds.length > 0) settings.onSpooledAtEnd?.(spool.dir)
  }

  #tell(): void {
    const { book, diagnostics, settings } = this.#parts
    if (book.pending > 0) diagnostics.lostAtEnd(book.pending)
    else if (book.spooled > 0 && settings.worker.spool?.flusher !== true)
      diagnostics.spooledAtEnd(book.spooled)
  }
}

function isLast(cause: EndCause): boolean {
  return cause.kind === 'exit' || cause.isFatal
}

function nameOf(cause: EndCause): string {
  return cause.kind === 'exit' ? `exit code ${cause.code}` : cause.signal
}
