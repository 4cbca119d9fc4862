import { jetstream } from '@nats-io/jetstream'
import { type MsgHdrs, headers as natsHeaders } from '@nats-io/nats-core'
import { metrics, trace } from '@opentelemetry/api'
import { DelegateBackoff, handleAll, handleWhen, retry } from 'cockatiel'
import { errorText } from '../error-text.ts'
import type { ServiceLogger } from '../logger.ts'
import {
  type Attempts,
  breakerOf,
  checkAttempts,
  jitteredDelayMs,
  mayRetryError,
} from '../resilience/attempts.ts'
import { connectBus } from './bus-connection.ts'
import { BusError } from './bus-error.ts'
import { type DeadLetter, DeadLetterFolder } from './dead-letter-folder.ts'
import {
  type BusPublisher,
  type PublisherOptions,
  publisherOver,
  type RawMessage,
  type RawSend,
  rawSend,
} from './publisher.ts'

/** How hard a publisher tries before it writes a message to disk. */
export interface ReliabilityOptions {
  /** The folder of messages that could not be published. */
  readonly deadLetterDir: string
  /** Files that it may hold; beyond it publishing fails for good. Default 10,000. */
  readonly deadLettersMax?: number | undefined
  /** Default 3. */
  readonly attemptsMax?: number | undefined
  /** The longest wait before the second attempt; doubles up to `delayMsMax`, with full jitter. Default 100. */
  readonly initialDelayMs?: number | undefined
  /** Default 10,000. */
  readonly delayMsMax?: number | undefined
  /** Failures in a row after which messages go to disk at once. Default 5. */
  readonly breakerFailures?: number | undefined
  /** For how long they do; then one probes. Default 30,000. */
  readonly breakerOpenMs?: number | undefined
  /** How often messages from the folder are tried again. Default 30,000; 0: only by `replay()`. */
  readonly replayIntervalMs?: number | undefined
  readonly logger?: ServiceLogger | undefined
}

export interface ReliablePublisher extends BusPublisher {
  /** Tries messages from the folder, oldest first, up to the first failure. Resolves with how many went out; never rejects. */
  replay(): Promise<number>
}

const replayCountMax = 10

/**
 * A publisher that tries again, spares a server that fails, and writes to disk what it cannot get rid of: `publish` rejects
 * then with a BusError `dead_lettered`, and the message goes out later with its own headers, so in its own trace.
 */
export async function createReliablePublisher(
  options: PublisherOptions & ReliabilityOptions,
): Promise<ReliablePublisher> {
  const connection = await connectBus(options)
  return reliablePublisherOver(options, rawSend(jetstream(connection)), () => connection.drain())
}

export function reliablePublisherOver(
  options: Pick<PublisherOptions, 'format' | 'source'> & ReliabilityOptions,
  send: RawSend,
  close: () => Promise<void>,
): ReliablePublisher {
  const { replayIntervalMs = 30_000, logger } = options
  const folder = new DeadLetterFolder(options.deadLetterDir, options.deadLettersMax ?? 10_000)
  const meter = metrics.getMeter('@throughline/service/natsbus')
  const failures = meter.createCounter('natsbus_publish_failures_total')
  const size = meter.createObservableGauge('natsbus_dead_letter_size')
  const observe = (result: { observe(value: number): void }): void => result.observe(folder.count)
  size.addCallback(observe)

  const publisher = publisherOver(
    options,
    deadLettered({ send: tryHard(options, send), folder, logger, onFailure: () => failures.add(1) }),
    close,
  )
  let replaying: Promise<number> | undefined
  const replay = (): Promise<number> => {
    replaying ??= replayLetters({ folder, send, logger }).finally(() => {
      replaying = undefined
    })
    return replaying
  }
  const timer = replayIntervalMs > 0 ? setInterval(() => void replay(), replayIntervalMs).unref() : undefined
  return {
    ...publisher,
    replay,
    close: async () => {
      clearInterval(timer)
      size.removeCallback(observe)
      await replaying
      await publisher.close()
    },
  }
}

/** Several attempts, told on the publishing's span, within a circuit breaker. */
function tryHard(options: ReliabilityOptions, send: RawSend): RawSend {
  const attempts: Attempts = {
    attemptsMax: options.attemptsMax ?? 3,
    initialDelayMs: options.initialDelayMs ?? 100,
    delayMsMax: options.delayMsMax ?? 10_000,
    breakerFailures: options.breakerFailures ?? 5,
    breakerOpenMs: options.breakerOpenMs ?? 30_000,
  }
  checkAttempts(attempts, (message) => new BusError('invalid_option', message))
  const breaker = breakerOf(handleAll, attempts)
  const retries = retry(handleWhen(mayRetryError), {
    maxAttempts: attempts.attemptsMax - 1,
    backoff: new DelegateBackoff(({ attempt }: { readonly attempt: number }) =>
      jitteredDelayMs(attempt, attempts, Math.random),
    ),
  })
  return (message) => {
    const span = trace.getActiveSpan()
    return retries.execute(({ attempt }) =>
      breaker
        .execute(() => send(message))
        .catch((error: unknown) => {
          span?.addEvent('publish_attempt_failed', { attempt: attempt + 1, error: errorText(error) })
          throw error
        }),
    )
  }
}

interface DeadLettering {
  readonly send: RawSend
  readonly folder: DeadLetterFolder
  readonly logger: ServiceLogger | undefined
  readonly onFailure: () => void
}

function deadLettered({ send, folder, logger, onFailure }: DeadLettering): RawSend {
  return async (message) => {
    try {
      return await send(message)
    } catch (error) {
      onFailure()
      const lastError = errorText(error)
      await folder.keep(letterOf(message, lastError)).catch((cause: unknown) => {
        throw new BusError(
          'publish_failed',
          `${message.subject}: ${lastError}; and not kept: ${errorText(cause)}`,
          { cause: error },
        )
      })
      logger?.warn({ subject: message.subject, id: message.id, error: lastError }, 'message dead-lettered')
      throw new BusError('dead_lettered', `${message.subject}: ${lastError}; the message was dead-lettered`, {
        cause: error,
      })
    }
  }
}

async function replayLetters({ folder, send, logger }: Omit<DeadLettering, 'onFailure'>): Promise<number> {
  let count = 0
  try {
    const names = await folder.list()
    for (const name of names.slice(0, replayCountMax)) {
      const letter = await folder.read(name)
      if (letter === undefined) {
        logger?.error({ file: name }, 'this file is no dead letter and stays where it is')
        continue
      }
      await send(messageOf(letter))
      await folder.remove(name)
      count++
    }
  } catch (error) {
    logger?.warn({ error: errorText(error) }, 'dead letters cannot be published yet')
  }
  return count
}

function letterOf(message: RawMessage, lastError: string): DeadLetter {
  const { id, subject, headers, payload: data } = message
  return {
    id,
    createdAt: new Date().toISOString(),
    subject,
    header: Object.fromEntries(headers),
    data,
    lastError,
  }
}

function messageOf({ id, subject, header, data }: DeadLetter): RawMessage {
  const headers: MsgHdrs = natsHeaders()
  for (const [name, values] of Object.entries(header)) for (const value of values) headers.append(name, value)
  return { id, subject, headers, payload: data }
}
