import type { Msg } from '@nats-io/nats-core'
import type { Span } from '@opentelemetry/api'
import { recordError } from './tracing.ts'

/**
 * Ends the span of a requestMany with the last reply: when the iterator is done, fails or is left; at the latest after
 * `maxWaitMs`, since nobody need ever read the replies.
 */
export function traceReplies(replies: AsyncIterable<Msg>, span: Span, maxWaitMs: number): void {
  let ended = false
  const end = (): void => {
    if (!ended) span.end()
    ended = true
    clearTimeout(timer)
  }
  const timer = setTimeout(end, maxWaitMs)
  timer.unref()
  const untraced = replies[Symbol.asyncIterator]
  replies[Symbol.asyncIterator] = () => {
    const iterator = untraced.call(replies)
    const watched: AsyncIterableIterator<Msg> = {
      [Symbol.asyncIterator]: () => watched,
      next: () =>
        iterator.next().then(
          (step) => {
            if (step.done === true) end()
            return step
          },
          (error: unknown) => {
            if (!ended) recordError(span, error)
            end()
            throw error
          },
        ),
      return: (value?: unknown) => {
        end()
        return iterator.return?.(value) ?? Promise.resolve({ done: true, value })
      },
      throw: (error?: unknown) => {
        end()
        return iterator.throw?.(error) ?? Promise.reject(error)
      },
    }
    return watched
  }
}
