import { setTimeout as delay } from 'node:timers/promises'
import type { Consumer, ConsumerMessages, JetStreamClient, JsMsg } from '@nats-io/jetstream'
import type { Logger } from 'pino'
import type { JobConsumer } from './consumers.ts'
import type { Disposition, JobRunner } from './job-runner.ts'
import type { Slots } from './slots.ts'

export interface IntakeParts {
  readonly js: JetStreamClient
  readonly stream: string
  readonly consumers: readonly JobConsumer[]
  readonly runner: JobRunner
  readonly slots: Slots
  readonly logger: Logger
  /** How often JetStream is told that a message is still being worked on. */
  readonly heartbeatMs: number
}

const pullMs = 30_000
const errorDelayMsMax = 5_000

/** Takes messages off the consumers, as many as there are slots, until it is stopped. */
export class Intake {
  readonly #parts: IntakeParts
  readonly #stop = new AbortController()
  readonly #pulls = new Set<ConsumerMessages>()
  readonly #loops: Promise<void>[]

  constructor(parts: IntakeParts) {
    this.#parts = parts
    this.#loops = parts.consumers.map((consumer) => this.#loop(consumer))
  }

  /** Takes nothing more. Resolves when no message is on its way any more; what runs goes on. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.repull()
    await Promise.all(this.#loops)
  }

  /** Ends the waiting pulls and makes new ones: after a reconnect the server has forgotten the old ones. */
  repull(): void {
    for (const pull of this.#pulls) pull.stop()
  }

  async #loop(consumer: JobConsumer): Promise<void> {
    const { signal } = this.#stop
    const { logger, slots } = this.#parts
    let bound: Consumer | undefined
    for (let failures = 0; !signal.aborted; ) {
      await slots.whenFree(signal)
      if (signal.aborted) return
      try {
        bound ??= await this.#parts.js.consumers.get(this.#parts.stream, consumer.name)
        await this.#pull(bound, consumer)
        failures = 0
      } catch (error) {
        bound = undefined
        failures += 1
        logger.error({ consumer: consumer.name, error }, `error consuming ${kindOf(consumer)} messages`)
        const delayMs = Math.min(100 * 2 ** failures, errorDelayMsMax)
        await delay(delayMs, undefined, { signal, ref: false }).catch(() => undefined)
      }
    }
  }

  async #pull(bound: Consumer, consumer: JobConsumer): Promise<void> {
    const pull = await bound.fetch({ max_messages: 1, expires: pullMs })
    this.#pulls.add(pull)
    try {
      if (this.#stop.signal.aborted) pull.stop()
      for await (const message of pull) {
        // Not awaited: the next pull is made while the job runs, as long as there are slots.
        this.#handle(message, consumer).catch((error: unknown) =>
          this.#parts.logger.error({ error }, 'job message could not be handled'),
        )
      }
    } finally {
      this.#pulls.delete(pull)
    }
  }

  async #handle(message: JsMsg, { shared }: JobConsumer): Promise<void> {
    const { slots, runner, heartbeatMs } = this.#parts
    if (!slots.tryTake()) {
      // Somebody else may be free. A message that has been round once is kept, so that it never runs out of deliveries.
      if (shared && message.info.deliveryCount === 1) {
        message.nak()
        return
      }
      await withHeartbeat(message, heartbeatMs, () => slots.take())
    }
    try {
      const disposition = await withHeartbeat(message, heartbeatMs, () => runner.run(message))
      answer(message, disposition)
    } finally {
      slots.release()
    }
  }
}

async function withHeartbeat<T>(message: JsMsg, intervalMs: number, action: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => message.working(), intervalMs)
  try {
    return await action()
  } finally {
    clearInterval(timer)
  }
}

function answer(message: JsMsg, disposition: Disposition): void {
  switch (disposition) {
    case 'ack':
      return message.ack()
    case 'term':
      return message.term()
    case 'retry':
      return message.nak(Math.min(30_000, 500 * 2 ** message.info.deliveryCount))
    case 'none':
      return undefined
  }
}

function kindOf({ name }: JobConsumer): string {
  return name.includes('_modify_') ? 'modify' : 'query'
}
