import { invalidOption } from './worker/exporter-error.ts'

export function checkOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (typeof value !== 'string' || !allowed.includes(value))
    throw invalidOption(`${name} "${String(value)}" must be one of: ${allowed.join(', ')}`)
}

/** 2^31 - 1 is where node's timers end. */
export function checkedInteger(name: string, value: number, min: number, max: number = 2 ** 31 - 1): number {
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw invalidOption(`${name} ${String(value)} must be a whole number from ${min} to ${max}`)
  return value
}
