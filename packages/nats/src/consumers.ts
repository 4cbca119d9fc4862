import type {
  ConsumeOptions,
  Consumer,
  ConsumerMessages,
  Consumers,
  FetchOptions,
  JsMsg,
  NextOptions,
  PushConsumer,
} from '@nats-io/jetstream'
import { context } from '@opentelemetry/api'
import { hookMethod } from './hook.ts'
import { traceIterable } from './message-iterator.ts'
import { handOver, noteHandOver, runProcessing } from './process.ts'
import { quietly, quietScope } from './quiet.ts'
import { Receive } from './receive.ts'
import type { NatsTracing } from './tracing.ts'
import { wrap } from './wrap.ts'

/** The consumers of a JetStream client: those that it gives out are traced. */
export function tracedConsumers(tracing: NatsTracing, consumers: Consumers): Consumers {
  return wrap(consumers, {
    get: async (stream, name) => tracedConsumer(tracing, await consumers.get(stream, name)),
    getConsumerFromInfo: (info) => tracedConsumer(tracing, consumers.getConsumerFromInfo(info)),
    getPushConsumer: async (stream, name) => {
      // Watchers and key lists of a KV bucket are push consumers that nobody but the KV client sees.
      const isOwn = isOfStore(stream)
      const consumer = await consumers.getPushConsumer(stream, name)
      return isOwn ? consumer : tracedPushConsumer(tracing, consumer)
    },
    getBoundPushConsumer: async (options) =>
      tracedPushConsumer(tracing, await consumers.getBoundPushConsumer(options)),
  })
}

/**
 * Hooks the class of `client.consumers`; a stream's getConsumer() makes such an object for itself. What a KV or object store
 * asks for is its own affair.
 */
export function hookConsumers(prototype: object): void {
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
        const isOwn = isOfStore(args[0])
        const consumer = await untraced(...args)
        return isOwn ? consumer : tracedPushConsumer(tracing, consumer)
      },
    })
  }
}

function connectionOfConsumers({ api }: { api?: { nc?: unknown } }): unknown {
  return api?.nc
}

export function tracedConsumer(tracing: NatsTracing, consumer: Consumer): Consumer {
  return wrap(consumer, {
    consume: (options) => consume(tracing, options, (traced) => consumer.consume(traced)),
    fetch: (options) => fetch(tracing, consumer, options),
    next: (options) => next(tracing, consumer, options),
  })
}

export function tracedPushConsumer(tracing: NatsTracing, consumer: PushConsumer): PushConsumer {
  return wrap(consumer, {
    consume: (options) => consume(tracing, options, (traced) => consumer.consume(traced)),
  })
}

/** Of a bucket whose operation is traced, or of one that nobody has wrapped. */
function isOfStore(stream: unknown): boolean {
  return quietScope() !== undefined || /^(?:KV|OBJ)_/.test(String(stream))
}

async function consume<O extends { callback?: Callback }>(
  tracing: NatsTracing,
  options: O | undefined,
  untraced: (options: O | undefined) => Promise<ConsumerMessages>,
): Promise<ConsumerMessages> {
  const messages = await quietly(context.active(), () => untraced(tracedCallback(tracing, options)))
  traceIterable(messages, { tracing })
  return messages
}

async function fetch(
  tracing: NatsTracing,
  consumer: Consumer,
  options?: FetchOptions,
): Promise<ConsumerMessages> {
  const receive = new Receive(tracing, { consumer, isBatch: true })
  const messages = await quietly(context.active(), () => consumer.fetch(options))
  traceIterable(messages, {
    tracing,
    onMessage: (message) => receive.add(message),
    onEnd: (failure) => receive.end(failure),
  })
  return messages
}

async function next(tracing: NatsTracing, consumer: Consumer, options?: NextOptions): Promise<JsMsg | null> {
  const receive = new Receive(tracing, { consumer, isBatch: false })
  let message: JsMsg | null
  try {
    message = await quietly(context.active(), () => consumer.next(options))
  } catch (error) {
    receive.end({ error })
    throw error
  }
  if (message !== null && tracing.isOn) {
    noteHandOver(tracing, message)
    receive.add(message)
    receive.end()
  }
  return message
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
