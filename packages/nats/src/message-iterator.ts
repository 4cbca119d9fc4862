import type { Context } from '@opentelemetry/api'
import { ContextHolder } from '@throughline/trace'
import { activeContext, enterFrame } from './frame.ts'
import type { Message } from './handover.ts'
import { handOver, type Processing } from './process.ts'
import type { Failure, NatsTracing } from './tracing.ts'

interface Iterable<M> {
  [Symbol.asyncIterator](): AsyncIterator<M>
}

/**
 * From here on, the body of `for await (const message of iterable)` runs inside the message's span, which ends when the
 * next message is asked for or the loop is left. Messages that nobody asks for make no spans.
 *
 * `next()` runs synchronously in the consumer's frame, and what it enters there holds in the body that follows. The first
 * `next()` also runs in the frame of whoever started the loop without awaiting it: until the first message is done,
 * that caller's later code is inside its span too. The callback forms have no such window.
 */
export function traceIterable<M extends Message>(iterable: Iterable<M>, setup: IterableSetup<M>): void {
  const untraced = iterable[Symbol.asyncIterator]
  iterable[Symbol.asyncIterator] = () => new MessageIterator(untraced.call(iterable), setup)
}

export interface IterableSetup<M> {
  readonly tracing: NatsTracing
  /** The queue group of the subscription. */
  readonly group?: string | undefined
  /** The subject of the subscription, which may have wildcards. */
  readonly pattern?: string | undefined
  readonly onMessage?: (message: M) => void
  /** Called when the message's processing has begun. */
  readonly onHandedOver?: (message: M) => void
  /** The loop has ended, has failed or was left. May be called again. */
  readonly onEnd?: (failure?: Failure) => void
}

class MessageIterator<M extends Message> implements AsyncIterableIterator<M> {
  readonly #untraced: AsyncIterator<M>
  readonly #setup: IterableSetup<M>
  /** The context around the loop. */
  #base: Context | undefined
  /** Of the last message. */
  #context: Context | undefined
  #first: ContextHolder | undefined
  #processing: Processing | undefined

  constructor(untraced: AsyncIterator<M>, setup: IterableSetup<M>) {
    this.#untraced = untraced
    this.#setup = setup
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<M>> {
    this.#finish()
    const result = this.#untraced.next()
    const active = activeContext()
    // The frame of a loop is still in its last message: contexts of messages must not stand on one another.
    const base = this.#base !== undefined && active === this.#context ? this.#base : active
    this.#base = base
    const entered = new ContextHolder(base)
    this.#first ??= entered
    enterFrame(entered)
    return result.then(
      (step) => {
        if (step.done === true) this.#setup.onEnd?.()
        else this.#start(step.value, { base, entered })
        return step
      },
      (error: unknown) => {
        this.#setup.onEnd?.({ error })
        throw error
      },
    )
  }

  return(value?: unknown): Promise<IteratorResult<M>> {
    this.#leave()
    return this.#untraced.return?.(value) ?? Promise.resolve({ done: true, value: undefined })
  }

  throw(error?: unknown): Promise<IteratorResult<M>> {
    this.#leave()
    return this.#untraced.throw?.(error) ?? Promise.reject(error)
  }

  #start(message: M, { base, entered }: { base: Context; entered: ContextHolder }): void {
    // Two next() without an await between them: the first message is done when the second arrives.
    this.#finish()
    const { tracing, group, pattern, onMessage, onHandedOver } = this.#setup
    onMessage?.(message)
    const processing = handOver(tracing, message, { base, group, pattern })
    onHandedOver?.(message)
    if (processing === undefined) return
    entered.current = processing.context
    this.#context = processing.context
    this.#processing = processing
  }

  /**
   * The first message's context is emptied with it, since its frame may be shared with the loop's caller. The later ones
   * stay for work that a body has started and not awaited.
   */
  #finish(): void {
    if (this.#processing === undefined) return
    this.#processing.leave()
    this.#processing = undefined
    if (this.#first !== undefined && this.#base !== undefined) this.#first.current = this.#base
  }

  /** Back to the context around the loop, for the code after it. */
  #leave(): void {
    const inside = activeContext() === this.#context
    this.#finish()
    this.#setup.onEnd?.()
    if (inside && this.#base !== undefined) enterFrame(this.#base)
  }
}
