import {
  BrokenCircuitError,
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  circuitBreaker,
  type Policy,
} from 'cockatiel'

/** How often something is tried, and for how long not at all. */
export interface Attempts {
  readonly attemptsMax: number
  readonly initialDelayMs: number
  readonly delayMsMax: number
  readonly breakerFailures: number
  readonly breakerOpenMs: number
}

/** Throws what `refuse` makes of the first value that cannot be used. */
export function checkAttempts(attempts: Attempts, refuse: (message: string) => Error): void {
  for (const [name, min] of [
    ['attemptsMax', 1],
    ['initialDelayMs', 0],
    ['delayMsMax', 0],
    ['breakerFailures', 1],
    ['breakerOpenMs', 1],
  ] as const)
    checkWholeNumber({ name, value: attempts[name], min }, refuse)
}

export function checkWholeNumber(
  { name, value, min }: { readonly name: string; readonly value: number; readonly min: number },
  refuse: (message: string) => Error,
): void {
  if (!Number.isSafeInteger(value) || value < min)
    throw refuse(`${name} ${value} must be a whole number from ${min}`)
}

/** Full jitter: uniform up to a ceiling that doubles with each attempt. `attempt` is 1 before the second try. */
export function jitteredDelayMs(
  attempt: number,
  { initialDelayMs, delayMsMax }: Attempts,
  random: () => number,
): number {
  return random() * Math.min(delayMsMax, initialDelayMs * 2 ** (attempt - 1))
}

/** Opens after failures in a row, as `failures` counts them. */
export function breakerOf(
  failures: Policy,
  { breakerFailures, breakerOpenMs }: Attempts,
): CircuitBreakerPolicy {
  return circuitBreaker(failures, {
    breaker: new ConsecutiveBreaker(breakerFailures),
    halfOpenAfter: breakerOpenMs,
  })
}

/** Asking a breaker that refuses once more would be refused once more. */
export function mayRetryError(error: Error): boolean {
  return !(error instanceof BrokenCircuitError)
}
