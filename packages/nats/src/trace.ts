import type {
  Msg,
  NatsConnection,
  Payload,
  PublishOptions,
  RequestManyOptions,
  RequestOptions,
  Subscription,
  SubscriptionOptions,
} from '@nats-io/nats-core'
import { context, SpanKind } from '@opentelemetry/api'
import { requestApi } from './api.ts'
import * as keys from './attributes.ts'
import { hookLoadedClasses } from './classes.ts'
import { setTracing, tracingOf } from './connections.ts'
import { traceIterable } from './message-iterator.ts'
import { checkNames, type NatsTracingOptions } from './options.ts'
import { handOver, runProcessing } from './process.ts'
import { quietScope } from './quiet.ts'
import { traceReplies } from './replies.ts'
import { traceRespond, withHeaders } from './respond.ts'
import { isSent, markSent, noteAttempt } from './sent.ts'
import { NatsTracing, type Sending } from './tracing.ts'
import { tracedClientMaker } from './v2.ts'
import { wrap } from './wrap.ts'

/**
 * Returns the connection with tracing: publish and respond make PRODUCER spans, request and requestMany CLIENT spans, and
 * every message of a subscription is handled inside a CONSUMER span, in a callback as in the body of `for await`. Context
 * travels in the headers. The given connection itself stays untraced.
 *
 * Results, errors and order are those of the given connection. JetStream and KV clients on the traced connection work;
 * tracedJetstream and tracedKv give them their spans. Wrapping a traced connection again returns it as it is.
 */
export function traceNats<T extends TraceableConnection>(given: T, options: NatsTracingOptions = {}): T {
  if (tracingOf(given) !== undefined) return given
  // What of v2 is not as in v3 is not used.
  const connection = given as NatsConnection & T
  checkNames(options)
  hookLoadedClasses()
  const tracing = new NatsTracing(options, connection)
  const replaced: Partial<NatsConnection> = {
    publish: (subject, payload, publishOptions) =>
      publish(tracing, connection, { subject, payload, publishOptions }),
    publishMessage: (message) =>
      publish(tracing, connection, { ...partsOf(message), subject: message.subject }),
    respondMessage: (message) => {
      if (!message.reply) return false
      publish(tracing, connection, { ...partsOf(message), subject: message.reply })
      return true
    },
    subscribe: (subject, subscriptionOptions) => subscribe(tracing, connection, subject, subscriptionOptions),
    request: (subject, payload, requestOptions) =>
      request(tracing, connection, { subject, payload, requestOptions }),
    requestMany: (subject, payload, requestOptions) =>
      requestMany(tracing, connection, { subject, payload, requestOptions }),
  }
  const clients = tracedClientMaker(tracing, connection, () => traced)
  // T's further members are those of the connection itself.
  const traced: T = wrap(given, { ...replaced, ...clients } as Partial<T>, (property) => {
    // Every client of JetStream reads it when it is made: one may have been loaded since.
    if (property === 'options') hookLoadedClasses()
  })
  setTracing(traced, tracing)
  return traced
}

/** A connection of @nats-io v3, or of the package nats 2.x. */
export interface TraceableConnection {
  publish(...args: never[]): void
  subscribe(...args: never[]): object
  request(...args: never[]): Promise<object>
  requestMany(...args: never[]): Promise<object>
}

interface Publish {
  readonly subject: string
  readonly payload: Payload | undefined
  readonly publishOptions: PublishOptions | undefined
}

/** What publishMessage() and respondMessage() take over from a message. */
function partsOf(message: Msg): Omit<Publish, 'subject'> {
  const { reply, headers } = message
  const publishOptions = { ...(reply ? { reply } : undefined), ...(headers ? { headers } : undefined) }
  return { payload: message.data, publishOptions }
}

function publish(
  tracing: NatsTracing,
  connection: NatsConnection,
  { subject, payload, publishOptions }: Publish,
): void {
  const role = keys.roleOf(subject)
  if (role !== 'message' || isSent(publishOptions?.headers)) {
    return connection.publish(subject, payload, withContext(tracing, { role, payload }, publishOptions))
  }
  const sending = tracing.startSend({
    kind: SpanKind.PRODUCER,
    operation: 'publish',
    subject,
    payload,
    headers: publishOptions?.headers,
  })
  try {
    connection.publish(subject, sending.payload, withHeaders(publishOptions, sending.headers))
  } catch (error) {
    sending.end({ error })
    throw error
  }
  sending.end()
}

interface Request<O> {
  readonly subject: string
  readonly payload: Payload | undefined
  readonly requestOptions: O | undefined
}

function request(
  tracing: NatsTracing,
  connection: NatsConnection,
  { subject, payload, requestOptions }: Request<RequestOptions>,
): Promise<Msg> {
  const role = keys.roleOf(subject)
  if (role === 'api') return requestApi(tracing, connection, { subject, payload, requestOptions })
  if (role !== 'message' || isSent(requestOptions?.headers)) {
    noteAttempt(requestOptions?.headers)
    return connection.request(subject, payload, withContext(tracing, { role, payload }, requestOptions))
  }
  const sending = startRequest(tracing, { subject, payload, headers: requestOptions?.headers })
  const reply = endIfThrown(sending, () =>
    connection.request(subject, sending.payload, withHeaders(requestOptions, sending.headers)),
  )
  return reply.then(
    (message) => {
      sending.end()
      return message
    },
    (error: unknown) => {
      sending.end({ error })
      throw error
    },
  )
}

/** With an inbox of its own, a request that is too large throws where others reject. */
function endIfThrown<R>(sending: Sending, call: () => R): R {
  try {
    return call()
  } catch (error) {
    sending.end({ error })
    throw error
  }
}

function requestMany(
  tracing: NatsTracing,
  connection: NatsConnection,
  { subject, payload, requestOptions }: Request<Partial<RequestManyOptions>>,
): Promise<AsyncIterable<Msg>> {
  if (keys.roleOf(subject) !== 'message') return connection.requestMany(subject, payload, requestOptions)
  const sending = startRequest(tracing, { subject, payload, headers: requestOptions?.headers })
  const many = endIfThrown(sending, () =>
    connection.requestMany(subject, sending.payload, withHeaders(requestOptions, sending.headers)),
  )
  return many.then(
    (replies) => {
      traceReplies(replies, sending, requestOptions?.maxWait || 1_000)
      return replies
    },
    (error: unknown) => {
      sending.end({ error })
      throw error
    },
  )
}

function startRequest(
  tracing: NatsTracing,
  send: { subject: string; payload: Payload | undefined; headers: RequestOptions['headers'] },
): Sending {
  return tracing.startSend({ kind: SpanKind.CLIENT, operation: 'request', ...send })
}

function subscribe(
  tracing: NatsTracing,
  connection: NatsConnection,
  subject: string,
  options?: SubscriptionOptions,
): Subscription {
  const role = keys.roleOf(subject)
  // What a service does first; it may be that of a package that was loaded since.
  if (role === 'internal') hookLoadedClasses()
  // Inboxes receive replies to requests of the client's own, JetStream's and the user's: not messages to be processed.
  const internal = role === 'internal' || tracing.destination(subject).temporary
  // A push consumer subscribes to where the server delivers, which need be no inbox; the consumer tells of its messages.
  if (internal || tracing.subscribesUntraced || quietScope() !== undefined) {
    return connection.subscribe(subject, options)
  }
  if (typeof options?.callback === 'function') {
    return connection.subscribe(subject, {
      ...options,
      callback: tracedCallback(options.callback, { tracing, group: options.queue, pattern: subject }),
    })
  }
  const subscription = connection.subscribe(subject, options)
  traceIterable(subscription, {
    tracing,
    group: options?.queue,
    pattern: subject,
    onHandedOver: traceRespond,
  })
  return subscription
}

type Callback = NonNullable<SubscriptionOptions['callback']>

interface Received {
  readonly tracing: NatsTracing
  readonly group: string | undefined
  readonly pattern: string
}

function tracedCallback(callback: Callback, { tracing, group, pattern }: Received): Callback {
  return function (this: unknown, error, message) {
    if (error !== null) return callback.call(this, error, message)
    traceRespond(message)
    const processing = handOver(tracing, message, { base: context.active(), group, pattern })
    if (processing === undefined) return callback.call(this, error, message)
    return runProcessing(processing, () => callback.call(this, error, message))
  }
}

/** For what gets no span: a store's write still carries the writer's context. */
function withContext<O extends PublishOptions | RequestOptions>(
  tracing: NatsTracing,
  { role, payload }: { readonly role: keys.SubjectRole; readonly payload: Payload | undefined },
  options: O | undefined,
): O | undefined {
  if (role !== 'store') return options
  return withHeaders(
    options,
    markSent(tracing.inject(context.active(), { headers: options?.headers, payload })),
  )
}
