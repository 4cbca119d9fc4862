import type { SpoolFailure } from './failure.ts'
import { countDone, type Entry } from './segment.ts'
import {
  addDamage,
  noDamage,
  type SpoolDamage,
  type SpoolDrop,
  type SpoolDropReason,
  type SpoolStats,
  Tally,
} from './stats.ts'

/** The one writer of the account. Each method is one move of a record from one place to another. */
export class Accounts {
  /** Bytes of the own and adopted segment files. */
  fileBytes = 0
  readFailure: SpoolFailure | undefined
  readonly #waiting = new Tally()
  readonly #held = new Tally()
  readonly #appended = new Tally()
  readonly #acknowledged = new Tally()
  readonly #adopted = new Tally()
  readonly #takenAway = new Tally()
  readonly #dropped: Record<SpoolDropReason, Tally> = {
    corrupt: new Tally(),
    missing: new Tally(),
    spool_age: new Tally(),
    spool_full: new Tally(),
  }
  #damage: SpoolDamage = noDamage
  readonly #onDrop: ((drop: SpoolDrop) => void) | undefined

  constructor(onDrop: ((drop: SpoolDrop) => void) | undefined) {
    this.#onDrop = onDrop
  }

  appended(entry: Entry): void {
    entry.state = 'held'
    this.#held.add(entry)
    this.#appended.add(entry)
  }

  adopted(entry: Entry): void {
    this.#waiting.add(entry)
    this.#adopted.add(entry)
  }

  damaged(found: SpoolDamage): void {
    this.#damage = addDamage(this.#damage, found)
  }

  hold(entry: Entry): void {
    this.#waiting.subtract(entry)
    this.#held.add(entry)
    entry.state = 'held'
  }

  giveBack(entry: Entry): void {
    this.#held.subtract(entry)
    this.#waiting.add(entry)
    entry.segment.giveBack(entry)
  }

  acknowledge(entry: Entry): void {
    this.#settle(entry)
    this.#acknowledged.add(entry)
  }

  takeAway(entry: Entry): void {
    this.#settle(entry)
    this.#takenAway.add(entry)
  }

  drop(entry: Entry, reason: SpoolDropReason): void {
    this.#settle(entry)
    this.#dropped[reason].add(entry)
    const { recordCount, itemCount, payloadBytes, owner } = entry
    this.#onDrop?.({ reason, recordCount, itemCount, payloadBytes, owner })
  }

  read(): SpoolStats {
    const { corrupt, missing, spool_age, spool_full } = this.#dropped
    return {
      waiting: this.#waiting.read(),
      held: this.#held.read(),
      appended: this.#appended.read(),
      acknowledged: this.#acknowledged.read(),
      adopted: this.#adopted.read(),
      takenAway: this.#takenAway.read(),
      dropped: {
        corrupt: corrupt.read(),
        missing: missing.read(),
        spool_age: spool_age.read(),
        spool_full: spool_full.read(),
      },
      damage: this.#damage,
      fileBytes: this.fileBytes,
      readFailure: this.readFailure,
    }
  }

  #settle(entry: Entry): void {
    const tally = entry.state === 'held' ? this.#held : this.#waiting
    tally.subtract(entry)
    countDone(entry)
  }
}
