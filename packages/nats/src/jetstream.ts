import type {
  ConsumeOptions,
  Consumer,
  ConsumerMessages,
  Consumers,
  JetStreamClient,
  JetStreamPublishOptions,
  JsMsg,
  NextOptions,
  PubAck,
  PushConsumer,
} from '@nats-io/jetstream'
import { headers, type Payload } from '@nats-io/nats-core'
import { context, type Span, SpanKind, type TimeInput } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { extractFromHeaders, spanContextOf } from './carrier.ts'
import { traceIterable } from './message-iterator.ts'
import type { NatsTracingOptions } from './options.ts'
import { addDelivery, handOver, noteHandOver, runProcessing } from './process.ts'
import { markSent } from './sent.ts'
import { tracingOf } from './trace.ts'
import { endSpan, endSpanWithError, NatsTracing } from './tracing.ts'
import { wrap } from './wrap.ts'

/**
 * Returns the JetStream client with tracing: publish is one PRODUCER span that ends with the server's ack, each message of
 * consume() and fetch() is handled inside a CONSUMER span (see traceNats), next() is a CLIENT span when it brings a
 * message, which processMessage then processes. Calls of JetStream's API make no spans.
 *
 * A client on a traced connection takes its options from there: `tracedJetstream(jetstream(traceNats(connection)))`.
 */
export function tracedJetstream<T extends JetStreamClient>(client: T, options?: NatsTracingOptions): T {
  const tracing = jetstreamTracing(client, options)
  const replaced: Partial<JetStreamClient> = {
    publish: (subject, payload, publishOptions) =>
      publish(tracing, client, { subject, payload, publishOptions }),
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
  return wrap(client, replaced as Partial<T>)
}

/** The tracing of the client's connection, unless there are options of its own. */
function jetstreamTracing(client: JetStreamClient, options: NatsTracingOptions | undefined): NatsTracing {
  // The client's class has a getter for its connection that its type does not show.
  const { nc } = client as { nc?: ConstructorParameters<typeof NatsTracing>[1] }
  const inherited = tracingOf(nc)
  if (inherited !== undefined && options === undefined) return inherited
  return new NatsTracing(options ?? {}, nc)
}

interface Publish {
  readonly subject: string
  readonly payload: Payload | undefined
  readonly publishOptions: Partial<JetStreamPublishOptions> | undefined
}

async function publish(tracing: NatsTracing, client: JetStreamClient, send: Publish): Promise<PubAck> {
  const { subject, payload, publishOptions } = send
  // A KV or object store on this client: its own spans are those of tracedKv.
  if (keys.roleOf(subject) !== 'message') return client.publish(subject, payload, publishOptions)
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
    const ack = await client.publish(subject, payload, { ...publishOptions, headers: carrying })
    sending.span?.setAttributes({
      [keys.natsStream]: ack.stream,
      [keys.natsSequence]: ack.seq,
      ...(ack.duplicate ? { [keys.natsDuplicate]: true } : undefined),
    })
    endSpan(sending.span)
    return ack
  } catch (error) {
    endSpanWithError(sending.span, error)
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
