import type { DropReason } from './ledger.ts'
import type { AdoptedProcess } from './messages.ts'

/** Takes one line of text, without a line end. */
export type DiagnosticWriter = (message: string) => void

const repeatAfterMs = 60_000

export interface DiagnosticsOptions {
  readonly endpoint: string
  /** What is exported, one of it: `span`. */
  readonly itemName: string
  /** The folder of the spool, where there is one. */
  readonly spoolDir?: string | undefined
  /** undefined: say nothing. */
  readonly write: DiagnosticWriter | undefined
  /** Monotonic milliseconds. */
  readonly now: () => number
}

export interface WaitingItems {
  /** In memory. */
  readonly pending: number
  /** On disk. */
  readonly spooled: number
}

/**
 * Tells the host's operator what goes wrong with the export: a failure once and clearly, then at most once a minute per
 * subject with what came together meanwhile, and once when it is over.
 */
export class Diagnostics {
  readonly #options: DiagnosticsOptions
  #failingSinceMs: number | undefined
  #failureSaidMs = 0
  readonly #subjects = new Map<string, { saidMs: number; itemCount: number }>()

  constructor(options: DiagnosticsOptions) {
    this.#options = options
  }

  get isFailing(): boolean {
    return this.#failingSinceMs !== undefined
  }

  attemptFailed(cause: string, waitingItems: WaitingItems): void {
    const { endpoint, now } = this.#options
    const nowMs = now()
    const waiting = this.#waitingText(waitingItems)
    if (this.#failingSinceMs === undefined) {
      this.#failingSinceMs = nowMs
      this.#failureSaidMs = nowMs
      this.#say(`cannot export to ${endpoint}: ${cause}; ${waiting}, trying again`)
    } else if (nowMs - this.#failureSaidMs >= repeatAfterMs) {
      this.#failureSaidMs = nowMs
      const seconds = Math.round((nowMs - this.#failingSinceMs) / 1000)
      this.#say(`still cannot export to ${endpoint} after ${seconds} s: ${cause}; ${waiting}, trying again`)
    }
  }

  /** An answer came: the collector is there, whether it took the spans or not. */
  answered(): void {
    if (this.#failingSinceMs === undefined) return
    const seconds = Math.round((this.#options.now() - this.#failingSinceMs) / 1000)
    this.#failingSinceMs = undefined
    this.#say(`export to ${this.#options.endpoint} works again after ${seconds} s`)
  }

  dropped(reason: DropReason, itemCount: number, cause: string): void {
    const because = cause === '' ? '' : `: ${cause}`
    this.#sayRarely(reason, itemCount, (count) => `dropped ${this.countText(count)} (${reason})${because}`)
  }

  /** The disk does not take what should be kept there. */
  spoolFailed(cause: string, pendingItemCount: number): void {
    this.#sayRarely(
      'spool',
      0,
      () =>
        `cannot write to the spool ${this.#options.spoolDir}: ${cause}; ${this.#waitingText({ pending: pendingItemCount, spooled: 0 })}`,
    )
  }

  adopted(owner: AdoptedProcess): void {
    this.#sayRarely(
      'adopted',
      owner.itemCount,
      (count) => `adopted ${this.countText(count)} from the spool: ${endOf(owner)}`,
    )
  }

  /** Said without their number: they come one by one, and the first is told at once. */
  interrupted(owner: AdoptedProcess): void {
    this.#sayRarely(
      'interrupted',
      0,
      () => `spans that were open are exported as interrupted: ${endOf(owner)}`,
    )
  }

  lostAtEnd(itemCount: number): void {
    this.#sayRarely(
      'end',
      0,
      () =>
        `the process ends with ${this.countText(itemCount)} not delivered; await shutdown() before it does`,
    )
  }

  /** Nothing is lost, so it is worth a line only where somebody may be looking for them. */
  spooledAtEnd(itemCount: number): void {
    if (!this.isFailing) return
    const { spoolDir } = this.#options
    this.#sayRarely(
      'end',
      0,
      () => `${this.countText(itemCount)} not delivered at the end; the spool ${spoolDir} keeps them`,
    )
  }

  note(text: string): void {
    this.#sayRarely('note', 0, () => `${this.#options.endpoint} says: ${text}`)
  }

  /** Said each time: it happens once. */
  say(message: string): void {
    this.#say(message)
  }

  /** `1 span`, `7 spans`. */
  countText(count: number): string {
    return `${count} ${this.#options.itemName}${count === 1 ? '' : 's'}`
  }

  #waitingText({ pending, spooled }: WaitingItems): string {
    const { spoolDir } = this.#options
    const text = `${this.countText(pending + spooled)} ${pending + spooled === 1 ? 'waits' : 'wait'}`
    if (spoolDir === undefined) return text
    if (spooled === 0) return `${text} in memory`
    return pending === 0 ? `${text} in the spool ${spoolDir}` : `${text}, ${spooled} in the spool ${spoolDir}`
  }

  #sayRarely(subject: string, itemCount: number, text: (itemCount: number) => string): void {
    const nowMs = this.#options.now()
    const known = this.#subjects.get(subject)
    if (known !== undefined && nowMs - known.saidMs < repeatAfterMs) {
      known.itemCount += itemCount
      return
    }
    this.#subjects.set(subject, { saidMs: nowMs, itemCount: 0 })
    this.#say(text((known?.itemCount ?? 0) + itemCount))
  }

  #say(message: string): void {
    try {
      this.#options.write?.(`throughline: ${message}`)
    } catch {
      // The host's logger failed; that must not fail the host's span.
    }
  }
}

function endOf({ name, pid, host, ending, reason, lastSeenMs }: AdoptedProcess): string {
  const end = {
    released: `ended (${reason})`,
    died: 'was killed or crashed',
    silent: `was last seen at ${new Date(lastSeenMs).toISOString()}`,
  }[ending]
  return `process ${pid} of ${host}${name === '' ? '' : ` ("${name}")`} ${end}`
}
