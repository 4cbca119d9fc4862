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
  | 'spool_age'
  | 'spool_corrupt'
  | 'spool_full'
  | 'spool_missing'
  | 'worker_crash'
  | 'worker_unavailable'
  | 'write_error'
  | `http_${number}`
  | `grpc_${string}`

/**
 * An account of every item, at the moment it was asked for:
 * `ended = delivered + pending + spooled + the sum of dropped`.
 */
export interface Ledger {
  /** Items that were given to the exporter. */
  readonly ended: number
  /** Items that the collector has acknowledged. */
  readonly delivered: number
  /** Items in memory: in the current chunk, on the way to the worker, waiting there, or sent and not acknowledged yet. */
  readonly pending: number
  /** Items on disk that the collector has not acknowledged: sent from there now, or by whoever adopts the folder later. */
  readonly spooled: number
  /** Items that will never arrive, by DropReason. A reason that never occurred is absent. */
  readonly dropped: Readonly<Record<string, number>>
}

/**
 * What this exporter took over from processes that are gone; they stand in no `Ledger` but those of these processes.
 * `adopted = delivered + waiting + the sum of dropped`.
 */
export interface AdoptedLedger {
  readonly adopted: number
  readonly delivered: number
  /** On disk, in this exporter's care. */
  readonly waiting: number
  readonly dropped: Readonly<Record<string, number>>
}

/** Each method keeps both equations; each is one move of items from one place to another. */
export class LedgerBook {
  #ended = 0
  #delivered = 0
  #pending = 0
  #spooled = 0
  readonly #dropped = new Map<DropReason, number>()
  readonly #adopted = { adopted: 0, delivered: 0, waiting: 0, dropped: new Map<DropReason, number>() }
  readonly #onChange: ((ledger: Ledger) => void) | undefined

  constructor(onChange?: (ledger: Ledger) => void) {
    this.#onChange = onChange
  }

  get pending(): number {
    return this.#pending
  }

  get spooled(): number {
    return this.#spooled
  }

  /** An item ended and waits in the current chunk. */
  accept(): void {
    this.#ended++
    this.#pending++
    this.#changed()
  }

  /** An item ended and cannot be taken. */
  refuse(reason: DropReason): void {
    this.#ended++
    add(this.#dropped, reason, 1)
    this.#changed()
  }

  /** Waiting items are on disk now. */
  spool(itemCount: number): void {
    this.#pending -= itemCount
    this.#spooled += itemCount
    this.#changed()
  }

  /** Items were acknowledged; of these, `rejectedCount` were turned away by the collector. */
  deliver(settled: SettledItems, rejectedCount: number): void {
    const itemCount = this.#take(settled)
    const rejected = Math.min(Math.max(rejectedCount, 0), itemCount)
    this.#delivered += itemCount - rejected
    if (rejected > 0) add(this.#dropped, 'rejected', rejected)
    this.#changed()
  }

  /** Items are given up. */
  drop(reason: DropReason, settled: SettledItems): void {
    const itemCount = this.#take(settled)
    if (itemCount === 0) return
    add(this.#dropped, reason, itemCount)
    this.#changed()
  }

  adopt(itemCount: number): void {
    this.#adopted.adopted += itemCount
    this.#adopted.waiting += itemCount
  }

  deliverAdopted(itemCount: number, rejectedCount: number): void {
    const account = this.#adopted
    const rejected = Math.min(Math.max(rejectedCount, 0), itemCount)
    account.waiting -= itemCount
    account.delivered += itemCount - rejected
    if (rejected > 0) add(account.dropped, 'rejected', rejected)
  }

  dropAdopted(reason: DropReason, itemCount: number): void {
    this.#adopted.waiting -= itemCount
    add(this.#adopted.dropped, reason, itemCount)
  }

  read(): Ledger {
    return {
      ended: this.#ended,
      delivered: this.#delivered,
      pending: this.#pending,
      spooled: this.#spooled,
      dropped: Object.fromEntries(this.#dropped),
    }
  }

  readAdopted(): AdoptedLedger {
    return { ...this.#adopted, dropped: Object.fromEntries(this.#adopted.dropped) }
  }

  #take({ pendingItemCount, spooledItemCount }: SettledItems): number {
    this.#pending -= pendingItemCount
    this.#spooled -= spooledItemCount
    return pendingItemCount + spooledItemCount
  }

  #changed(): void {
    if (this.#onChange !== undefined) this.#onChange(this.read())
  }
}

/** Where items were when they were settled. */
export interface SettledItems {
  readonly pendingItemCount: number
  readonly spooledItemCount: number
}

function add(dropped: Map<DropReason, number>, reason: DropReason, itemCount: number): void {
  dropped.set(reason, (dropped.get(reason) ?? 0) + itemCount)
}
