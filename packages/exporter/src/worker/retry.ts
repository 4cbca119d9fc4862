import type { RetryLimits } from '../messages.ts'

/** A collector cannot silence the exporter for longer than this with one Retry-After or RetryInfo. */
export const serverDelayMsMax: number = 5 * 60_000

/**
 * Exponential backoff with full jitter: uniform in [0, initial * 2^(failures - 1)], capped. Full jitter, since after an
 * outage every process of a fleet retries, and anything less than full keeps them in step.
 */
export function backoffDelayMs(failureCount: number, limits: RetryLimits, random: () => number): number {
  const ceilingMs = Math.min(limits.delayMsMax, limits.initialDelayMs * 2 ** Math.min(failureCount - 1, 30))
  return Math.round(random() * ceilingMs)
}

/** https://www.rfc-editor.org/rfc/rfc9110#field.retry-after: seconds or an HTTP date; undefined for anything else. */
export function parseRetryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  if (/^\d{1,9}$/.test(text)) return Math.min(Number(text) * 1000, serverDelayMsMax)
  // Date.parse also takes texts such as "1.5", which no HTTP date looks like.
  const dateMs = /^[A-Z][a-z]{2}/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(dateMs)) return undefined
  return Math.min(Math.max(dateMs - nowMs, 0), serverDelayMsMax)
}
