import type { Spool, SpoolFailure, SpoolRecord } from '@throughline/spool'
import type { OpenSpanSnapshot } from '../messages.ts'

/** The kind of a spool record that is a snapshot of an open span, to be delivered only if its process dies. */
export const openSpanRecordKind = 2

/** What is on disk of spans that have not ended: one record each, which goes when its span ends. */
export class OpenSpanRecords {
  readonly #spool: Spool
  readonly #records = new Map<number, SpoolRecord>()

  constructor(spool: Spool) {
    this.#spool = spool
  }

  /** Writes snapshots; those of the same spans that were there before go. Returns why the disk did not take them all. */
  keep(snapshots: readonly OpenSpanSnapshot[]): SpoolFailure | undefined {
    for (const { openId, bytes } of snapshots) {
      // No items: nothing has ended yet that the ledger could miss.
      const result = this.#spool.append({ kind: openSpanRecordKind, itemCount: 0, payload: bytes })
      if (!result.ok) return result.failure
      const before = this.#records.get(openId)
      this.#records.set(openId, result.record)
      if (before !== undefined) this.#spool.acknowledge(before)
    }
    return undefined
  }

  /** These spans have ended. */
  end(openIds: readonly number[]): void {
    for (const openId of openIds) {
      const record = this.#records.get(openId)
      if (record === undefined) continue
      this.#records.delete(openId)
      this.#spool.acknowledge(record)
    }
  }
}
