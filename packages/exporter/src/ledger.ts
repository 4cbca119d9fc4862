/** Why spans were dropped. `rejected` is the collector's partial success; `http_400`, `grpc_INVALID_ARGUMENT` its refusals. */
export type DropReason =
  | 'after_shutdown'
  | 'answer_too_large'
  | 'encode_error'
  | 'log_record_too_large'
  | 'queue_full'
  | 'rejected'
  | 'retry_exhausted'
  | 'shutdown_timeout'
  | 'span_too_large'
  | 'worker_crash'
  | 'worker_unavailable'
  | 'write_error'
  | `http_${number}`
  | `grpc_${string}`

/**
 * An account of every span, at the moment it was asked for:
 * `ended = delivered + pending + the sum of dropped`.
 */
export interface Ledger {
  /** Spans that were given to the exporter. */
  readonly ended: number
  /** Spans that the collector has acknowledged. */
  readonly delivered: number
  /** Spans in the current chunk, on the way to the worker, waiting there, or sent and not acknowledged yet. */
  readonly pending: number
  /** Spans that will never arrive, by DropReason. A reason that never occurred is absent. */
  readonly dropped: Readonly<Record<string, number>>
}

/** The one writer of the account. Each method keeps the equation; each is one move of spans from one place to another. */
export class LedgerBook {
  #ended = 0
  #delivered = 0
  #pending = 0
  readonly #dropped = new Map<DropReason, number>()
  readonly #onChange: ((ledger: Ledger) => void) | undefined

  constructor(onChange?: (ledger: Ledger) => void) {
    this.#onChange = onChange
  }

  get pending(): number {
    return this.#pending
  }

  /** A span ended and waits in the current chunk. */
  accept(): void {
    this.#ended++
    this.#pending++
    this.#changed()
  }

  /** A span ended and cannot be taken. */
  refuse(reason: DropReason): void {
    this.#ended++
    this.#addDropped(reason, 1)
    this.#changed()
  }

  /** Waiting spans were acknowledged; of these, `rejectedCount` were turned away by the collector. */
  deliver(itemCount: number, rejectedCount: number): void {
    const rejected = Math.min(Math.max(rejectedCount, 0), itemCount)
    this.#pending -= itemCount
    this.#delivered += itemCount - rejected
    if (rejected > 0) this.#addDropped('rejected', rejected)
    this.#changed()
  }

  /** Waiting spans are given up. */
  drop(reason: DropReason, itemCount: number): void {
    if (itemCount === 0) return
    this.#pending -= itemCount
    this.#addDropped(reason, itemCount)
    this.#changed()
  }

  read(): Ledger {
    return {
      ended: this.#ended,
      delivered: this.#delivered,
      pending: this.#pending,
      dropped: Object.fromEntries(this.#dropped),
    }
  }

  #addDropped(reason: DropReason, itemCount: number): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + itemCount)
  }

  #changed(): void {
    if (this.#onChange !== undefined) this.#onChange(this.read())
  }
}
