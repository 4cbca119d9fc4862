import type { Msg } from '@nats-io/nats-core'
import type { Sending } from './tracing.ts'

/**
 * Ends the span of a requestMany with the last reply: when the iterator is done, fails or is left. Replies that nobody
 * has begun to read by `maxWaitMs` end it then, since nobody need ever read them.
 */
export function traceReplies(replies: AsyncIterable<Msg>, sending: Sending, maxWaitMs: number): void {
  const timer = setTimeout(() => sending.end(), maxWaitMs)
  timer.unref()
  const untraced = replies[Symbol.asyncIterator]
  replies[Symbol.asyncIterator] = () => {
    clearTimeout(timer)
    return watched(untraced.call(replies), sending)
  }
}

function watched(replies: AsyncIterator<Msg>, sending: Sending): AsyncIterableIterator<Msg> {
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: () =>
      replies.next().then(
        (step) => {
          if (step.done === true) sending.end()
          return step
        },
        (error: unknown) => {
          sending.end({ error })
          throw error
        },
      ),
    return: (value?: unknown) => {
      sending.end()
      return replies.return?.(value) ?? Promise.resolve({ done: true, value })
    },
    throw: (error?: unknown) => {
      sending.end()
      return replies.throw?.(error) ?? Promise.reject(error)
    },
  }
}
