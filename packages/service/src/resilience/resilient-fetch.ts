import { context, trace } from '@opentelemetry/api'
import { contextWithResendCount, tracedFetch } from '@throughline/http'
import {
  BrokenCircuitError,
  DelegateBackoff,
  type FailureReason,
  handleWhen,
  handleWhenResult,
  type IRetryBackoffContext,
  retry,
} from 'cockatiel'
import {
  type Attempts,
  breakerOf,
  checkAttempts,
  checkWholeNumber,
  jitteredDelayMs,
  mayRetryError,
} from './attempts.ts'
import { DownstreamError } from './downstream-error.ts'
import { retryAfterMs } from './retry-after.ts'

type Fetch = typeof globalThis.fetch

/** How a downstream service is called. */
export interface ResilientFetchOptions {
  /** Names the downstream in errors and events. */
  readonly name: string
  /** Makes each attempt; is wrapped once, so that each is a client span. Default: the global fetch. */
  readonly fetch?: Fetch | undefined
  /** Attempts of one call, the first included. Default 4. */
  readonly attemptsMax?: number | undefined
  /** The longest wait before the second attempt; doubles up to `delayMsMax`, with full jitter. Default 500. */
  readonly initialDelayMs?: number | undefined
  /** Default 5,000. A `Retry-After` of the downstream counts instead, up to a minute. */
  readonly delayMsMax?: number | undefined
  /** For the whole call, waits included. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** Failures in a row after which calls are refused at once. Default 5. */
  readonly breakerFailures?: number | undefined
  /** For how long they are; then one call probes. Default 30,000. */
  readonly breakerOpenMs?: number | undefined
  /** Uniform in [0, 1). */
  readonly random?: (() => number) | undefined
}

/**
 * A fetch that tries again what may succeed then (no answer, 408, 429, 500, 502, 503, 504), and spares a downstream that fails
 * again and again. Each attempt is a client span of its own, in the trace of the caller; the last attempt's answer is the
 * call's, whatever its status. A body that can be read only once is sent only once. A call that the breaker refuses throws a
 * DownstreamError (`circuit_open`).
 */
export function resilientFetch(options: ResilientFetchOptions): Fetch {
  const { timeoutMs = 30_000, random = Math.random } = options
  const attempts: Attempts = {
    attemptsMax: options.attemptsMax ?? 4,
    initialDelayMs: options.initialDelayMs ?? 500,
    delayMsMax: options.delayMsMax ?? 5_000,
    breakerFailures: options.breakerFailures ?? 5,
    breakerOpenMs: options.breakerOpenMs ?? 30_000,
  }
  checkAttempts(attempts, refuse)
  checkWholeNumber({ name: 'timeoutMs', value: timeoutMs, min: 1 }, refuse)

  const fetch = tracedFetch(options.fetch)
  // 429 says that the downstream works, and a caller who gives up says nothing: the breaker leaves both alone.
  const breaker = breakerOf(handleWhen(isNoAbort).orWhenResult(isServerFailure), attempts)
  const delayMs = ({ attempt, result }: IRetryBackoffContext<unknown>): number =>
    askedDelayMs(result) ?? jitteredDelayMs(attempt, attempts, random)
  const retries = retry(handleWhenResult(mayRetryAnswer).orWhen(mayRetryError), {
    maxAttempts: attempts.attemptsMax - 1,
    backoff: new DelegateBackoff(delayMs),
  })

  return async (input, init) => {
    const limit = AbortSignal.timeout(timeoutMs)
    const ownSignal = init?.signal ?? (input instanceof Request ? input.signal : undefined)
    const signal = ownSignal == null ? limit : AbortSignal.any([limit, ownSignal])
    let previous: Response | undefined
    let sentCount = 0
    const attempt = async (): Promise<Response> => {
      // Read to no end, its span would not end either.
      await previous?.body?.cancel()
      const sentAgain = sentCount++
      const active = context.active()
      const below = sentAgain === 0 ? active : contextWithResendCount(active, sentAgain)
      previous = await breaker.execute(() => context.with(below, () => fetch(input, { ...init, signal })))
      return previous
    }
    try {
      return await (isRepeatable(input, init) ? retries.execute(attempt, signal) : attempt())
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof BrokenCircuitError)) throw error
      trace.getActiveSpan()?.addEvent('circuit_open', { 'downstream.name': options.name })
      throw new DownstreamError(
        'circuit_open',
        `${options.name} fails again and again and is not called for now`,
      )
    }
  }
}

function refuse(message: string): Error {
  return new DownstreamError('invalid_option', message)
}

function isNoAbort(error: Error): boolean {
  return error.name !== 'AbortError'
}

function isServerFailure(answer: unknown): boolean {
  return answer instanceof Response && answer.status >= 500
}

function mayRetryAnswer(answer: unknown): boolean {
  return answer instanceof Response && [408, 429, 500, 502, 503, 504].includes(answer.status)
}

function askedDelayMs(result: FailureReason<unknown>): number | undefined {
  return 'value' in result && result.value instanceof Response
    ? retryAfterMs(result.value, Date.now())
    : undefined
}

function isRepeatable(input: Parameters<Fetch>[0], init: Parameters<Fetch>[1]): boolean {
  if (input instanceof Request && input.body !== null) return false
  const body = init?.body
  return (
    !(body instanceof ReadableStream) &&
    !(typeof body === 'object' && body !== null && Symbol.asyncIterator in body)
  )
}
