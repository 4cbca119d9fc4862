import type {
  ConsumeOptions,
  Consumer,
  ConsumerMessages,
  Consumers,
  JetStreamClient,
  JsMsg,
  NextOptions,
  PubAck,
  PushConsumer,
} from '@nats-io/jetstream'
import { headers, type NatsConnection } from '@nats-io/nats-core'
import { context, type Span, SpanKind, type TimeInput } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { extractFromHeaders, spanContextOf } from './carrier.ts'
import { tracingOf } from './connections.ts'
import { type HookedCall, hookMethod, isHooked } from './hook.ts'
import { traceIterable } from './message-iterator.ts'
import type { NatsTracingOptions } from './options.ts'
import { addDelivery, handOver, noteHandOver, runProcessing } from './process.ts'
import { markSent } from './sent.ts'
import { endSpan, NatsTracing } from './tracing.ts'
import { isTraced, markTraced, wrap } from './wrap.ts'

/**
 * Returns the JetStream client with tracing: publish is one PRODUCER span that ends with the server's ack, each message of
 * consume() and fetch() is handled inside a CONSUMER span (see traceNats), next() is a CLIENT span when it brings a
 * message, which processMessage then processes. Calls of JetStream's API make no spans.
 *
 * A client on a connection of traceNats is traced without it, and is returned as it is. It is for clients that traceNats
 * cannot find, since a bundler has joined them to the program, and for connections without tracing.
 */
export function tracedJetstream<T extends JetStreamClient>(client: T, options?: NatsTracingOptions): T {
  // The client's class has a field for its connection that its type does not show.
  const { nc } = client as { nc?: NatsConnection }
  if (isTraced(client) || isHooked(client, nc)) return client
  const inherited = options === undefined ? tracingOf(nc) : undefined
  const tracing = inherited ?? new NatsTracing(options ?? {}, nc)
  const replaced: Partial<JetStreamClient> = {
    publish: (...args) => publish({ tracing, args, untraced: (...changed) => client.publish(...changed) }),
    consumers: tracedConsumers(tracing, client.consumers),
    streams: wrap(client.streams, {
      get: async (name) => {
        const stream = await client.streams.get(name)
        return wrap(stream, {
          getConsumer: async (consumer) => tracedConsumer(tracing, await stream.getConsumer(consumer)),
          getPushConsumer: async (...args) =>
            tracedPushConsumer(tracing, await stream.getPushConsumer(...args)),
        })
      },
    }),
  }
  // T's further members are those of the client itself.
  return markTraced(wrap(client, replaced as Partial<T>))
}

/** Hooks the classes of a copy of @nats-io/jetstream: clients on traced connections do what tracedJetstream gives. */
export function hookJetstream(exports: unknown): void {
  const { jetstream } = exports as { jetstream: (connection: unknown) => JetStreamClient }
  // Only the client's class is exported; its members know their own. A client asks its connection for this prefix alone.
  const client = jetstream({ options: { inboxPrefix: '_INBOX' } })
  hookMethod<WithConnection, Parameters<JetStreamClient['publish']>, Promise<PubAck>>(
    Object.getPrototypeOf(client),
    'publish',
    { connectionOf: (self) => self.nc, traced: publish },
  )
  hookConsumers(Object.getPrototypeOf(client.consumers))
}

/** A stream's getConsumer() makes such an object for itself. */
function hookConsumers(prototype: object): void {
  for (const name of ['get', 'getConsumerFromInfo']) {
    hookMethod<object, unknown[], Consumer | Promise<Consumer>>(prototype, name, {
      connectionOf: connectionOfConsumers,
      traced: ({ tracing, args, untraced }) => {
        const consumer = untraced(...args)
        return consumer instanceof Promise
          ? consumer.then((made) => tracedConsumer(tracing, made))
          : tracedConsumer(tracing, consumer)
      },
    })
  }
  for (const name of ['getPushConsumer', 'getBoundPushConsumer']) {
    hookMethod<object, unknown[], Promise<PushConsumer>>(prototype, name, {
      connectionOf: connectionOfConsumers,
      traced: async ({ tracing, args, untraced }) => {
        const consumer = await untraced(...args)
        return isStoreStream(String(args[0])) ? consumer : tracedPushConsumer(tracing, consumer)
      },
    })
  }
}

function connectionOfConsumers({ api }: { api?: WithConnection }): unknown {
  return api?.nc
}

interface WithConnection {
  readonly nc?: unknown
}

type Publish = Omit<HookedCall<object, Parameters<JetStreamClient['publish']>, Promise<PubAck>>, 'self'>

async function publish({ tracing, args, untraced }: Publish): Promise<PubAck> {
  const [subject, payload, publishOptions] = args
  // A KV or object store on this client: its own spans are those of tracedKv.
  if (keys.roleOf(subject) !== 'message') return untraced(subject, payload, publishOptions)
  const sending = tracing.startSend({
    kind: SpanKind.PRODUCER,
    operation: 'publish',
    subject,
    payload,
    headers: publishOptions?.headers,
    messageId: publishOptions?.msgID,
  })
  try {
    const carrying = markSent(sending.headers ?? headers())
    const ack = await untraced(subject, payload, { ...publishOptions, headers: carrying })
    sending.span?.setAttributes({
      [keys.natsStream]: ack.stream,
      [keys.natsSequence]: ack.seq,
      ...(ack.duplicate ? { [keys.natsDuplicate]: true } : undefined),
    })
    sending.end()
    return ack
  } catch (error) {
    sending.end({ error })
    throw error
  }
}

function tracedConsumers(tracing: NatsTracing, consumers: Consumers): Consumers {
  return wrap(consumers, {
    get: async (stream, name) => tracedConsumer(tracing, await consumers.get(stream, name)),
    getConsumerFromInfo: (info) => tracedConsumer(tracing, consumers.getConsumerFromInfo(info)),
    getPushConsumer: async (stream, name) => {
      const consumer = await consumers.getPushConsumer(stream, name)
      // Watchers and key lists of a KV bucket are push consumers that nobody but the KV client sees.
      return isStoreStream(stream) ? consumer : tracedPushConsumer(tracing, consumer)
    },
    getBoundPushConsumer: async (options) =>
      tracedPushConsumer(tracing, await consumers.getBoundPushConsumer(options)),
  })
}

function isStoreStream(stream: string): boolean {
  return stream.startsWith('KV_') || stream.startsWith('OBJ_')
}

function tracedConsumer(tracing: NatsTracing, consumer: Consumer): Consumer {
  return wrap(consumer, {
    consume: async (options) =>
      tracedMessages(tracing, await consumer.consume(tracedCallback(tracing, options))),
    fetch: async (options) => tracedMessages(tracing, await consumer.fetch(options)),
    next: (options) => next(tracing, consumer, options),
  })
}

function tracedPushConsumer(tracing: NatsTracing, consumer: PushConsumer): PushConsumer {
  return wrap(consumer, {
    consume: async (options) =>
      tracedMessages(tracing, await consumer.consume(tracedCallback(tracing, options))),
  })
}

function tracedMessages(tracing: NatsTracing, messages: ConsumerMessages): ConsumerMessages {
  traceIterable(messages, { tracing })
  return messages
}

type Callback = NonNullable<ConsumeOptions['callback']>

function tracedCallback<O extends { callback?: Callback }>(
  tracing: NatsTracing,
  options: O | undefined,
): O | undefined {
  const callback = options?.callback
  if (options === undefined || typeof callback !== 'function') return options
  const traced: Callback = (message) => {
    const processing = handOver(tracing, message, { base: context.active() })
    return processing === undefined ? callback(message) : runProcessing(processing, () => callback(message))
  }
  return { ...options, callback: traced }
}

/** A wait that brings nothing makes no span: workers ask again and again. */
async function next(tracing: NatsTracing, consumer: Consumer, options?: NextOptions): Promise<JsMsg | null> {
  const startTime = Date.now()
  const message = await consumer.next(options)
  if (message !== null && tracing.isOn) {
    noteHandOver(tracing, message)
    endSpan(startReceive(tracing, message, startTime))
  }
  return message
}

function startReceive(tracing: NatsTracing, message: JsMsg, startTime: TimeInput): Span {
  const destination = tracing.destination(message.subject)
  const producer = spanContextOf(extractFromHeaders(message.headers, undefined, tracing.propagator))
  const attributes = keys.messagingAttributes(destination, { name: 'receive', type: 'receive' })
  addDelivery(message, attributes)
  return tracing.tracer.startSpan(`receive ${destination.template}`, {
    kind: SpanKind.CLIENT,
    startTime,
    links: producer === undefined ? [] : [{ context: producer }],
    attributes: tracing.addServer(attributes),
  })
}
