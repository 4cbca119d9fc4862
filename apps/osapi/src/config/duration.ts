const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}

/**
 * Milliseconds of a Go-style duration (`30s`, `2m`, `1h30m`, `1.5h`), with `d` for days besides Go's units.
 * `0` needs no unit. Undefined for anything else, and for negative durations: no setting of ours takes one.
 */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+$/.test(text)) return undefined
  let totalMs = 0
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g)) {
    totalMs += Number(amount) * (unitMs[unit ?? ''] ?? Number.NaN)
  }
  return Number.isFinite(totalMs) ? totalMs : undefined
}

/** Go's text of a duration in nanoseconds: `0s`, `950ns`, `19.707031ms`, `1m0.5s`, `1h0m0s`. */
export function formatGoDuration(nanoseconds: number): string {
  const ns = Math.round(Math.abs(nanoseconds))
  const sign = nanoseconds < 0 ? '-' : ''
  if (ns === 0) return '0s'
  if (ns < 1e3) return `${sign}${ns}ns`
  if (ns < 1e6) return `${sign}${trimmed(ns / 1e3, 3)}µs`
  if (ns < 1e9) return `${sign}${trimmed(ns / 1e6, 6)}ms`
  const minutes = Math.floor(ns / 60e9)
  const seconds = `${trimmed((ns - minutes * 60e9) / 1e9, 9)}s`
  if (minutes === 0) return sign + seconds
  const hours = Math.floor(minutes / 60)
  return `${sign}${hours > 0 ? `${hours}h` : ''}${minutes % 60}m${seconds}`
}

function trimmed(value: number, digits: number): string {
  return String(Number(value.toFixed(digits)))
}
