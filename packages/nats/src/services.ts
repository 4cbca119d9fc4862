import type { Msg } from '@nats-io/nats-core'
import { type HookedCall, hookMethod } from './hook.ts'
import { traceIterable } from './message-iterator.ts'
import { processingOf, runClaimed, sameMessage } from './process.ts'
import { traceRespond } from './respond.ts'
import { isTraced, markTraced, wrap } from './wrap.ts'

/** What this file knows of the services manager (`Svcm`) of @nats-io/services, which need not be installed. */
export interface ServicesManager {
  add(...args: never[]): Promise<object>
}

/**
 * Returns the services manager with tracing: each request to an endpoint is handled inside a CONSUMER span, until the
 * promise of its handler settles or, without a handler, the body of the loop is done. An error answer is the span's
 * error. Discovery (PING, INFO, STATS) makes no spans.
 *
 * A manager on a connection of traceNats is traced without it (see tracedJetstream); on any other nothing is.
 */
export function tracedSvcm<T extends ServicesManager>(manager: T): T {
  if (isTraced(manager)) return manager
  const replaced: Partial<ServicesManager> = {
    add: async (...args) => {
      const service = await manager.add(...args)
      hookService(Object.getPrototypeOf(service))
      return service
    },
  }
  // T's further members are those of the manager itself.
  return markTraced(wrap(manager, replaced as Partial<T>))
}

/** Hooks the classes of a copy of @nats-io/services. */
export function hookServices(exports: unknown): void {
  hookService((exports as { ServiceImpl: { readonly prototype: object } }).ServiceImpl.prototype)
}

interface WithConnection {
  readonly nc?: unknown
}

/** All endpoints of a service and of its groups come here in the end. */
function hookService(prototype: object): void {
  hookMethod<WithConnection, [NamedEndpoint], AsyncIterable<ServiceMsg>>(prototype, '_addEndpoint', {
    connectionOf: (service) => service.nc,
    traced: addEndpoint,
  })
}

interface NamedEndpoint {
  readonly subject: string
  readonly queue?: string
  readonly handler?: (error: Error | null, message: ServiceMsg) => unknown
}

/** What a handler gets: an object around the message that the subscription has brought, or around another such. */
interface ServiceMsg extends Msg {
  readonly msg: Msg | ServiceMsg
}

function receivedOf(message: Msg | ServiceMsg): Msg {
  return 'msg' in message ? receivedOf(message.msg) : message
}

function addEndpoint({
  tracing,
  args: [endpoint],
  untraced,
}: HookedCall<WithConnection, [NamedEndpoint], AsyncIterable<ServiceMsg>>): AsyncIterable<ServiceMsg> {
  const { handler } = endpoint
  if (typeof handler === 'function') return untraced({ ...endpoint, handler: tracedHandler(handler) })
  // The subscription only queues the messages: their spans are those of the loop that reads them.
  const requests = tracing.subscribeUntraced(() => untraced(endpoint))
  traceIterable(requests, {
    tracing,
    group: endpoint.queue,
    pattern: endpoint.subject,
    onHandedOver: (message) => {
      const received = receivedOf(message)
      sameMessage(message, received)
      traceRespond(received)
    },
  })
  return requests
}

type Handler = NonNullable<NamedEndpoint['handler']>

function tracedHandler(handler: Handler): Handler {
  return function (this: unknown, error, message) {
    if (error !== null) return handler.call(this, error, message)
    const received = receivedOf(message)
    const processing = processingOf(received)
    if (processing === undefined) return handler.call(this, error, message)
    sameMessage(received, message)
    // What a handler throws becomes the answer, and what it returns is dropped: an async one would be left early.
    return runClaimed(processing, () => handler.call(this, error, message))
  }
}
