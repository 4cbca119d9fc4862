import { trace } from '@opentelemetry/api'
import { errorText } from '../error-text.ts'
import { HttpError } from '../httpkit/http-error.ts'
import type { ServiceLogger } from '../logger.ts'

/** What a failing downstream means to the caller: nothing but a line in the log, or that it cannot answer either. */
export type DownstreamPolicy = 'fail-open' | 'fail-closed'

export interface DownstreamOptions {
  readonly name: string
  readonly policy: DownstreamPolicy
  readonly logger?: ServiceLogger | undefined
}

/**
 * Calls a downstream by its policy. A failure of a `fail-open` one is logged and gives undefined; of a `fail-closed` one it
 * becomes an HttpError (`unavailable`, 503), unless it is an HttpError already.
 */
export async function callDownstream<T>(
  options: DownstreamOptions,
  call: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    const { name, policy, logger } = options
    const text = errorText(error)
    logger?.warn({ downstream: name, policy, error: text }, 'downstream call failed')
    trace
      .getActiveSpan()
      ?.addEvent('downstream_failed', { 'downstream.name': name, 'downstream.policy': policy })
    if (policy === 'fail-open') return undefined
    if (error instanceof HttpError) throw error
    throw new HttpError('unavailable', `${name} is not available`, { cause: error })
  }
}

/**
 * Starts work that nobody waits for, in the trace of the caller but not bound to its cancellation. A failure is logged.
 */
export function fireAndForget(
  options: Omit<DownstreamOptions, 'policy'>,
  call: () => Promise<unknown>,
): void {
  void callDownstream({ ...options, policy: 'fail-open' }, call)
}
