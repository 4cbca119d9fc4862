import {
  AckPolicy,
  DeliverPolicy,
  type JetStreamClient,
  type JsMsg,
  jetstream,
  jetstreamManager,
} from '@nats-io/jetstream'
import { type MsgHdrs, type NatsConnection, nanos, headers as natsHeaders } from '@nats-io/nats-core'
import { context, type Span } from '@opentelemetry/api'
import { errorText } from '../error-text.ts'
import type { ServiceLogger } from '../logger.ts'
import { type BusConnectionOptions, connectBus } from './bus-connection.ts'
import { BusError } from './bus-error.ts'
import type { BusEvent } from './bus-event.ts'
import { endWithError, startProcessing } from './bus-tracing.ts'
import { readEnvelope } from './envelope.ts'

/** What a handler gets. */
export interface BusDelivery {
  readonly subject: string
  /** Undefined where the message is no event; `error` says why. */
  readonly event: BusEvent | undefined
  readonly error: string | undefined
  readonly headers: MsgHdrs | undefined
  readonly payload: Uint8Array
  /** 1 for the first delivery. */
  readonly deliveryCount: number
  /** The `nats.process` span, which is active in the handler too. */
  readonly span: Span
}

/** Resolves when the message is dealt with; what it throws brings the message back, later. */
export type BusHandler = (delivery: BusDelivery) => unknown

export interface ConsumerOptions extends BusConnectionOptions {
  /** Has to be there: it is bound, not made. */
  readonly stream: string
  /** What to take from it; may hold wildcards. */
  readonly subject: string
  /** The consumer's name; those who have the same share the messages. */
  readonly durable: string
  readonly handler: BusHandler
  /** Where a new consumer begins. Default `new`. */
  readonly deliver?: 'all' | 'last' | 'new' | undefined
  /** Deliveries of one message before it is given up. Default 5. */
  readonly deliveriesMax?: number | undefined
  /** How long a message may be worked on without a sign of life; signs are sent while the handler runs. Default 30,000. */
  readonly ackWaitMs?: number | undefined
  /** The wait before the second delivery; doubles up to a minute. Default 1,000. */
  readonly nakDelayMs?: number | undefined
  /** Gets what was given up, with its headers, so that its trace goes on. Default: `<durable>.dlq`; false: none. */
  readonly dlqSubject?: string | false | undefined
  /** Messages worked on at the same time. Default 1. */
  readonly concurrencyMax?: number | undefined
  readonly logger?: ServiceLogger | undefined
}

export interface BusConsumer {
  /** Lets running handlers end, then closes the connection. */
  stop(): Promise<void>
}

const nakDelayMsMax = 60_000

/**
 * Takes events from JetStream, each in a `nats.process` span that is a child of its publishing and linked to it. A handler
 * that is done acknowledges; one that throws brings the message back after a delay, and after the last delivery to the dead
 * letter subject. Rejects with a BusError for an option that is missing.
 */
export async function startConsumer(options: ConsumerOptions): Promise<BusConsumer> {
  for (const name of ['stream', 'subject', 'durable'] as const)
    if (options[name] === '') throw new BusError('invalid_option', `${name} is empty and has to be named`)
  const connection = await connectBus(options)
  try {
    return await consume(connection, settingsOf(options))
  } catch (error) {
    await connection.close()
    throw error
  }
}

/** The options with their defaults. */
type ConsumerSettings = ReturnType<typeof settingsOf>

function settingsOf(options: ConsumerOptions) {
  return {
    ...options,
    deliver: options.deliver ?? 'new',
    deliveriesMax: options.deliveriesMax ?? 5,
    ackWaitMs: options.ackWaitMs ?? 30_000,
    nakDelayMs: options.nakDelayMs ?? 1_000,
    dlqSubject: options.dlqSubject ?? `${options.durable}.dlq`,
    concurrencyMax: options.concurrencyMax ?? 1,
  }
}

async function consume(connection: NatsConnection, settings: ConsumerSettings): Promise<BusConsumer> {
  const { stream, subject, durable, deliver, deliveriesMax, ackWaitMs, concurrencyMax, logger } = settings
  const manager = await jetstreamManager(connection)
  await manager.consumers.add(stream, {
    durable_name: durable,
    filter_subject: subject,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(ackWaitMs),
    // One more than is handled: the last delivery is ours to give up, and not the server's.
    max_deliver: deliveriesMax + 1,
    deliver_policy: { all: DeliverPolicy.All, last: DeliverPolicy.Last, new: DeliverPolicy.New }[deliver],
  })
  const client = jetstream(connection)
  const consumer = await client.consumers.get(stream, durable)
  const messages = await consumer.consume({ max_messages: Math.max(concurrencyMax, 2) })
  const running = new Set<Promise<void>>()
  let isStopping = false
  const work = async (): Promise<void> => {
    for await (const message of messages) {
      if (isStopping) {
        // Fetched and not begun: somebody else is to have it now and not after the time for an answer.
        message.nak()
        continue
      }
      const done = handle(client, message, settings).finally(() => running.delete(done))
      running.add(done)
      if (running.size >= concurrencyMax) await Promise.race(running)
    }
  }
  const working = work().catch((error: unknown) => {
    logger?.error({ stream, durable, error: errorText(error) }, 'consumer ended')
  })
  return {
    stop: async () => {
      isStopping = true
      messages.stop()
      await working
      await Promise.all(running)
      await connection.drain()
    },
  }
}

/** Never rejects. */
async function handle(client: JetStreamClient, message: JsMsg, settings: ConsumerSettings): Promise<void> {
  const { durable, logger, ackWaitMs } = settings
  const { subject, headers, data: payload } = message
  const { deliveryCount } = message.info
  const { event, error } = readEnvelope(payload, headers)
  const processing = startProcessing({
    subject,
    filter: settings.subject,
    durable,
    headers,
    event,
    deliveryCount,
  })
  const { span } = processing
  const sign = setInterval(() => message.working(), ackWaitMs / 2)
  await context.with(processing.context, async () => {
    try {
      await settings.handler({ subject, event, error, headers, payload, deliveryCount, span })
    } catch (thrown) {
      clearInterval(sign)
      logger?.error(
        { subject, durable, delivery_count: deliveryCount, error: errorText(thrown) },
        'consumer handler failed',
      )
      await bringBack({ client, message, settings, thrown })
      endWithError(span, thrown)
      return
    }
    clearInterval(sign)
    await settle(settings, 'consumer ack failed', () => message.ackAck())
    span.end()
  })
}

interface Failed {
  readonly client: JetStreamClient
  readonly message: JsMsg
  readonly settings: ConsumerSettings
  readonly thrown: unknown
}

async function bringBack({ client, message, settings, thrown }: Failed): Promise<void> {
  const { deliveriesMax, nakDelayMs, dlqSubject } = settings
  const { deliveryCount } = message.info
  if (deliveryCount < deliveriesMax) {
    const delayMs = Math.min(nakDelayMsMax, nakDelayMs * 2 ** (deliveryCount - 1))
    await settle(settings, 'consumer nak failed', () => message.nak(delayMs))
    return
  }
  const isKept =
    dlqSubject === false ||
    (await settle(settings, 'dead letter failed', () => deadLetter(client, dlqSubject, message, thrown)))
  // What could not be written down elsewhere comes once more.
  // Without a reason: servers before 2.10 do not know one, and then not the word before it either.
  if (isKept) await settle(settings, 'consumer term failed', () => message.term())
  else await settle(settings, 'consumer nak failed', () => message.nak(nakDelayMsMax))
}

async function deadLetter(
  client: JetStreamClient,
  dlqSubject: string,
  message: JsMsg,
  thrown: unknown,
): Promise<void> {
  const headers = natsHeaders()
  // What was expected of the first stream does not hold for the second.
  for (const [name, values] of message.headers ?? [])
    if (!/^nats-expected-/i.test(name)) for (const value of values) headers.append(name, value)
  headers.set('Dlq-Subject', message.subject)
  headers.set('Dlq-Stream', message.info.stream)
  headers.set('Dlq-Sequence', String(message.info.streamSequence))
  headers.set(
    'Dlq-Error',
    errorText(thrown)
      .replaceAll(/[^\x20-\x7e]/g, ' ')
      .slice(0, 500),
  )
  await client.publish(dlqSubject, message.data, { headers })
}

async function settle(settings: ConsumerSettings, trouble: string, work: () => unknown): Promise<boolean> {
  try {
    await work()
    return true
  } catch (error) {
    const { subject, durable, logger } = settings
    logger?.error({ subject, durable, error: errorText(error) }, trouble)
    return false
  }
}
