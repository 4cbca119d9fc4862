import type { TimeInput } from '@opentelemetry/api'

// Read once: the global is a getter, and costs a fifth of a reading. Importing node:perf_hooks costs more at the start.
const { performance } = globalThis

/**
 * The time of spans: milliseconds since `originUnixNano`, a wall-clock instant that never changes for the life of a
 * clock.
 */
export interface Clock {
  /** Wall-clock nanoseconds since the Unix epoch at which this clock's time is 0. */
  readonly originUnixNano: bigint
  /** Monotonic milliseconds, with a fraction; compare two readings to get a duration. */
  monotonicMs(): number
  /**
   * What to add to `monotonicMs()` to get milliseconds since the origin: whole milliseconds, changed only when the
   * monotonic clock and the wall clock have drifted apart. A span keeps the correction it started with.
   */
  correctionMs(monotonicMs: number): number
}

/** How far the two clocks may drift apart before new spans follow the wall clock. NTP slews by less. */
const driftMsMax = 20
const driftCheckIntervalMs = 1000

/**
 * The system's clock. The origin is the process's time origin, so that `performance.now()` is a span's time as it is.
 * The monotonic clock stands still while the machine sleeps and knows nothing of a corrected wall clock: once a second,
 * by the way of a reading, the two are compared.
 */
export class SystemClock implements Clock {
  readonly originUnixNano: bigint
  readonly #originUnixMs: number
  readonly #wallClock: () => number
  readonly #monotonic: () => number
  #nextCheckMs = Number.NEGATIVE_INFINITY
  #correctionMs = 0

  constructor(
    sources: { timeOriginUnixMs?: number; wallClock?: () => number; monotonic?: () => number } = {},
  ) {
    this.#originUnixMs = sources.timeOriginUnixMs ?? performance.timeOrigin
    this.#wallClock = sources.wallClock ?? Date.now
    this.#monotonic = sources.monotonic ?? (() => performance.now())
    this.originUnixNano = BigInt(Math.round(this.#originUnixMs * 1000)) * 1000n
  }

  monotonicMs(): number {
    return this.#monotonic()
  }

  correctionMs(monotonicMs: number): number {
    if (monotonicMs >= this.#nextCheckMs) this.#compareClocks(monotonicMs)
    return this.#correctionMs
  }

  #compareClocks(monotonicMs: number): void {
    this.#nextCheckMs = monotonicMs + driftCheckIntervalMs
    const wantedMs = this.#wallClock() - this.#originUnixMs - monotonicMs
    if (Math.abs(wantedMs - this.#correctionMs) > driftMsMax) this.#correctionMs = Math.round(wantedMs)
  }
}

/** As a reading, three years of uptime; as milliseconds since the epoch, March 1973. */
const performanceReadingMsMax = 1e11

/**
 * Milliseconds since the clock's origin of a time that a user gave: `[seconds, nanoseconds]`, a Date, milliseconds since
 * the epoch, or a reading of `performance.now()` (a number below 10^11). Undefined for anything that is not a finite
 * time.
 */
export function timeInputToMs(
  input: TimeInput,
  origin: { readonly unixNano: bigint; readonly performanceCorrectionMs: number },
): number | undefined {
  if (typeof input === 'number') {
    if (!Number.isFinite(input)) return undefined
    return input < performanceReadingMsMax
      ? input + origin.performanceCorrectionMs
      : input - originUnixMs(origin.unixNano)
  }
  if (Array.isArray(input)) return hrTimeToMs(input, origin.unixNano)
  if (input instanceof Date) {
    const unixMs = input.getTime()
    return Number.isFinite(unixMs) ? unixMs - originUnixMs(origin.unixNano) : undefined
  }
  return undefined
}

/** `[seconds, nanoseconds]` since the epoch of a time relative to the origin. */
export function msToHrTime(timeMs: number, originUnixNano: bigint): [number, number] {
  const unixNano = originUnixNano + BigInt(Math.round(timeMs * 1e6))
  return [Number(unixNano / 1_000_000_000n), Number(unixNano % 1_000_000_000n)]
}

/** `[seconds, nanoseconds]` of a duration; never negative. */
export function durationToHrTime(durationMs: number): [number, number] {
  const nano = Math.max(0, Math.round(durationMs * 1e6))
  return [Math.trunc(nano / 1e9), nano % 1e9]
}

function originUnixMs(originUnixNano: bigint): number {
  return Number(originUnixNano / 1000n) / 1000
}

function hrTimeToMs(input: readonly unknown[], originUnixNano: bigint): number | undefined {
  const [seconds, nanos] = input
  if (input.length !== 2 || !isFiniteNumber(seconds) || !isFiniteNumber(nanos)) return undefined
  // Whole seconds are subtracted first: epoch nanoseconds do not fit a double.
  const originSeconds = Number(originUnixNano / 1_000_000_000n)
  const originRestNano = Number(originUnixNano % 1_000_000_000n)
  return (seconds - originSeconds) * 1000 + (nanos - originRestNano) / 1e6
}

function isFiniteNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
