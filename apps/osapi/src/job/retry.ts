import { setTimeout as delay } from 'node:timers/promises'

export interface RetryOptions {
  /** Ends the tries; the last error is thrown then. */
  readonly signal: AbortSignal
  readonly onError?: (error: unknown) => void
}

const firstDelayMs = 100
const delayMsMax = 2_000

/** Tries until it works: for what must be done, and may be done twice, while NATS is away. */
export async function retryUntilDone<T>(action: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let delayMs = firstDelayMs; ; delayMs = Math.min(delayMs * 2, delayMsMax)) {
    try {
      return await action()
    } catch (error) {
      if (options.signal.aborted) throw error
      options.onError?.(error)
      // An abort ends the wait; there is one more try after it.
      await delay(delayMs, undefined, { signal: options.signal, ref: false }).catch(() => undefined)
    }
  }
}
