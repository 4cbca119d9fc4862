import type { ConsumerMessages, JetStreamClient, JsMsg } from '@nats-io/jetstream'
import type { KV } from '@nats-io/kv'
import type { ObjectStore } from '@nats-io/obj'
import { context } from '@opentelemetry/api'
import { tracedJetstream } from './jetstream.ts'
import { openKV, tracedKv } from './kv.ts'
import { traceIterable } from './message-iterator.ts'
import { openObjectStore, tracedObjectStore } from './object-store.ts'
import { noteHandOver } from './process.ts'
import { quietly } from './quiet.ts'
import { Receive } from './receive.ts'
import { type ServicesManager, tracedSvcm } from './services.ts'
import type { NatsTracing } from './tracing.ts'
import { wrap } from './wrap.ts'

/** A connection of the package nats 2.x makes the clients that are packages of their own in v3. */
export interface ClientMaker {
  jetstream(...args: unknown[]): LegacyClient
  jetstreamManager(...args: unknown[]): Promise<object>
  readonly services: ServicesManager & { client(...args: unknown[]): object }
}

/** The JetStream client of 2.x, with what v3 does no longer have. */
interface LegacyClient extends JetStreamClient {
  readonly views: {
    kv(name: string, ...args: unknown[]): Promise<KV>
    os(name: string, ...args: unknown[]): Promise<ObjectStore>
  }
  pull(...args: unknown[]): Promise<JsMsg>
  fetch(...args: unknown[]): ConsumerMessages
  subscribe(...args: unknown[]): Promise<ConsumerMessages>
  pullSubscribe(...args: unknown[]): Promise<ConsumerMessages>
}

/** The methods by which a connection of 2.x makes clients: they are made on the traced connection. Nothing for one of v3. */
export function tracedClientMaker(
  tracing: NatsTracing,
  connection: object,
  tracedConnection: () => object,
): Partial<ClientMaker> {
  const { jetstream, jetstreamManager, services } = connection as Partial<ClientMaker>
  if (typeof jetstream !== 'function' || typeof jetstreamManager !== 'function' || services === undefined) {
    return {}
  }
  const ServicesFactory = services.constructor as new (connection: object) => ClientMaker['services']
  const tracedServices = (): ClientMaker['services'] => new ServicesFactory(tracedConnection())
  return {
    jetstream: (...args) => tracedLegacyClient(tracing, jetstream.apply(tracedConnection(), args)),
    jetstreamManager: (...args) => jetstreamManager.apply(tracedConnection(), args),
    services: wrap(services, {
      add: (...args) => tracedSvcm(tracedServices()).add(...args),
      client: (...args) => tracedServices().client(...args),
    }),
  }
}

function tracedLegacyClient(tracing: NatsTracing, client: LegacyClient): LegacyClient {
  const { views } = client
  return wrap(tracedJetstream(client), {
    views: wrap(views, {
      kv: async (bucket, ...args) => {
        const call = (): Promise<KV> => views.kv(bucket, ...args)
        return tracedKv(await openKV(tracing, { operation: 'create', bucket, call }))
      },
      os: async (bucket, ...args) => {
        const call = (): Promise<ObjectStore> => views.os(bucket, ...args)
        return tracedObjectStore(await openObjectStore(tracing, { operation: 'create', bucket, call }))
      },
    }),
    pull: async (...args) => {
      const receive = new Receive(tracing, { isBatch: false })
      const message = await quietly(context.active(), () => client.pull(...args))
      noteHandOver(tracing, message)
      receive.add(message)
      receive.end()
      return message
    },
    fetch: (...args) =>
      tracedMessages(
        tracing,
        quietly(context.active(), () => client.fetch(...args)),
      ),
    subscribe: async (...args) =>
      tracedMessages(tracing, await quietly(context.active(), () => client.subscribe(...args))),
    pullSubscribe: async (...args) =>
      tracedMessages(tracing, await quietly(context.active(), () => client.pullSubscribe(...args))),
  })
}

function tracedMessages(tracing: NatsTracing, messages: ConsumerMessages): ConsumerMessages {
  traceIterable(messages, { tracing })
  return messages
}
