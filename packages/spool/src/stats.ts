import type { AdoptedOwner } from './adoption.ts'
import type { SpoolFailure } from './failure.ts'

/** Records, the items in them as their writers counted, and the bytes of their payloads. */
export interface SpoolCount {
  readonly recordCount: number
  readonly itemCount: number
  readonly payloadBytes: number
}

/**
 * Why records were given up. `spool_full`: the folder's limit was reached; `spool_age`: older than `ageMsMax`; `corrupt`: the
 * bytes are not those that were written; `missing`: somebody removed the file.
 */
export type SpoolDropReason = 'corrupt' | 'missing' | 'spool_age' | 'spool_full'

export interface SpoolDrop extends SpoolCount {
  readonly reason: SpoolDropReason
  /** Whose records they were; undefined for one's own. */
  readonly owner: AdoptedOwner | undefined
}

/** What a spool has seen and done since it was opened. */
export interface SpoolStats {
  /** On disk and nobody's turn yet: what `take` will return. Own and adopted. */
  readonly waiting: SpoolCount
  /** On disk and in the caller's hands: appended or taken, neither acknowledged nor given back. */
  readonly held: SpoolCount
  readonly appended: SpoolCount
  readonly acknowledged: SpoolCount
  readonly adopted: SpoolCount
  /** Own or adopted before, and now in the hands of another process, which found this one silent. */
  readonly takenAway: SpoolCount
  readonly dropped: Readonly<Record<SpoolDropReason, SpoolCount>>
  readonly damage: SpoolDamage
  /** Bytes of this spool's own and adopted segment files. */
  readonly fileBytes: number
  /** Why a waiting record could last not be read; it goes on waiting. */
  readonly readFailure: SpoolFailure | undefined
}

/** What was found damaged in adopted segments, and was skipped. */
export interface SpoolDamage {
  /** Records that were being written when their process ended. */
  readonly tornCount: number
  /** Places where bytes are changed, missing or too many. */
  readonly corruptCount: number
  /** Records that are known to be missing there: at least so many. */
  readonly lostRecordCount: number
  /** Items of damaged records, where that much could still be read. */
  readonly lostItemCount: number
  /** Segments of a version that this one cannot read; they are left where they are. */
  readonly unknownVersionCount: number
}

export const noDamage: SpoolDamage = {
  tornCount: 0,
  corruptCount: 0,
  lostRecordCount: 0,
  lostItemCount: 0,
  unknownVersionCount: 0,
}

export function addDamage(a: SpoolDamage, b: SpoolDamage): SpoolDamage {
  return {
    tornCount: a.tornCount + b.tornCount,
    corruptCount: a.corruptCount + b.corruptCount,
    lostRecordCount: a.lostRecordCount + b.lostRecordCount,
    lostItemCount: a.lostItemCount + b.lostItemCount,
    unknownVersionCount: a.unknownVersionCount + b.unknownVersionCount,
  }
}

export class Tally implements SpoolCount {
  recordCount = 0
  itemCount = 0
  payloadBytes = 0

  add(count: SpoolCount): void {
    this.recordCount += count.recordCount
    this.itemCount += count.itemCount
    this.payloadBytes += count.payloadBytes
  }

  subtract(count: SpoolCount): void {
    this.recordCount -= count.recordCount
    this.itemCount -= count.itemCount
    this.payloadBytes -= count.payloadBytes
  }

  read(): SpoolCount {
    return { recordCount: this.recordCount, itemCount: this.itemCount, payloadBytes: this.payloadBytes }
  }
}
