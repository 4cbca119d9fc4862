import type { Operation } from './model.ts'

/** For the way to the worker and back, and for the worker to kill what has run out of time and to tell so. */
const marginMs = 5_000

/**
 * How long to wait for the answers to an operation. A command may run for as long as its request says, so whoever asked
 * must not be told "timeout" while it still runs: then they would start it a second time.
 */
export function answerTimeoutMs(operation: Operation, timeoutMs: number): number {
  if (!operation.type.startsWith('command.')) return timeoutMs
  const { timeout } = (operation.data ?? {}) as { readonly timeout?: unknown }
  const runsMsMax = typeof timeout === 'number' && timeout > 0 ? timeout * 1000 : 0
  return Math.max(timeoutMs, runsMsMax + (runsMsMax > 0 ? marginMs : 0))
}
