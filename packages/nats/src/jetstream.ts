import type { JetStreamClient, PubAck } from '@nats-io/jetstream'
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/nats-core'
import { type Attributes, SpanKind } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { copyHeaders } from './carrier.ts'
import { tracingOf } from './connections.ts'
import { hookConsumers, tracedConsumer, tracedConsumers, tracedPushConsumer } from './consumers.ts'
import { type HookedCall, hookMethod, isHooked } from './hook.ts'
import type { NatsTracingOptions } from './options.ts'
import { quietScope } from './quiet.ts'
import { attemptsOf, markSent } from './sent.ts'
import { type Failure, NatsTracing } from './tracing.ts'
import { isTraced, markTraced, wrap } from './wrap.ts'

/**
 * Returns the JetStream client with tracing: publish is one PRODUCER span that ends with the server's ack, each message of
 * consume() and fetch() is handled inside a CONSUMER span (see traceNats), next() and fetch() are a CLIENT span when they
 * bring messages, and how a message is settled is a CLIENT span each.
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

interface WithConnection {
  readonly nc?: unknown
}

type Publish = Omit<HookedCall<object, Parameters<JetStreamClient['publish']>, Promise<PubAck>>, 'self'>

async function publish({ tracing, args, untraced }: Publish): Promise<PubAck> {
  const [subject, payload, publishOptions] = args
  // A KV or object store on this client: its spans are those of the store.
  if (keys.roleOf(subject) !== 'message' || quietScope() !== undefined) {
    return untraced(subject, payload, publishOptions)
  }
  const sending = tracing.startSend({
    kind: SpanKind.PRODUCER,
    operation: 'publish',
    subject,
    payload,
    headers: publishOptions?.headers,
    messageId: publishOptions?.msgID,
  })
  const carrying = markSent(ownHeaders(sending.headers, publishOptions?.headers))
  let failure: Failure | undefined
  try {
    const ack = await untraced(subject, sending.payload, { ...publishOptions, headers: carrying })
    sending.span?.setAttributes(ackAttributes(ack))
    return ack
  } catch (error) {
    failure = { error }
    throw error
  } finally {
    const attempts = attemptsOf(carrying)
    if (attempts > 1) sending.span?.setAttribute(keys.natsPublishAttempts, attempts)
    sending.end(failure)
  }
}

/** The client adds its own fields to the headers, which must not become the caller's. */
function ownHeaders(carried: MsgHdrs | undefined, given: MsgHdrs | undefined): MsgHdrs {
  if (carried === undefined) return headers()
  return carried === given ? copyHeaders(carried) : carried
}

function ackAttributes(ack: PubAck): Attributes {
  const attributes: Attributes = { [keys.natsStream]: ack.stream, [keys.natsSequence]: ack.seq }
  if (ack.duplicate) attributes[keys.natsDuplicate] = true
  return attributes
}
