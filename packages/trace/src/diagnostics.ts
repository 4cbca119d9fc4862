import { diag } from '@opentelemetry/api'

/** One message per subject and minute: a mistake in a hot loop must not flood the host's log. */
const quietMs = 60_000

/**
 * Rate-limited diagnostics through OpenTelemetry's `diag`. A subject is a fixed word; the number of messages that were
 * held back is told with the next one.
 */
export class Diagnostics {
  readonly #now: () => number
  readonly #subjects = new Map<string, { quietUntilMs: number; heldBackCount: number }>()

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Never throws, not even when the host's logger does. */
  warn(subject: string, message: string, cause?: unknown): void {
    const nowMs = this.#now()
    const known = this.#subjects.get(subject)
    if (known !== undefined && nowMs < known.quietUntilMs) {
      known.heldBackCount += 1
      return
    }
    const heldBackCount = known?.heldBackCount ?? 0
    this.#subjects.set(subject, { quietUntilMs: nowMs + quietMs, heldBackCount: 0 })
    const suffix = heldBackCount === 0 ? '' : ` (${heldBackCount} more like this since the last message)`
    try {
      if (cause === undefined) diag.warn(`throughline: ${message}${suffix}`)
      else diag.warn(`throughline: ${message}${suffix}`, cause)
    } catch {
      // The host's own logger failed; there is nobody left to tell.
    }
  }
}
