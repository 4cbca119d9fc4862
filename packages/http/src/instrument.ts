import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import http, { type ClientRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { enterContext } from '@throughline/trace'
import { failRequestSpan, respondRequestSpan, startRequestSpan } from './client-request.ts'
import type { HttpOptions } from './options.ts'
import { finishServerSpan, startServerSpan } from './server.ts'
import { patchServerEmit } from './server-emit.ts'
import { HttpTracing } from './trace.ts'
import {
  endUndiciSpan,
  failUndiciSpan,
  respondUndiciSpan,
  startUndiciSpan,
  type UndiciRequest,
} from './undici.ts'

export interface HttpInstrumentation {
  /** How often a hook, sampler, propagator or span threw; the requests went on without it. */
  readonly failureCount: number
  /** No new spans from now on; those that are open end as usual. */
  disable(): void
}

/**
 * Traces every HTTP request that this process answers or makes: servers of node:http and node:https, node:http(s)
 * clients, global fetch and undici. Needs no loader flag and no order of imports, and works with any OpenTelemetry SDK.
 * Calling it again adds nothing to requests that the first call traces.
 *
 * Throws an HttpOptionError for a wrong option; after that nothing reaches the host.
 */
export function instrumentHttp(options: HttpOptions = {}): HttpInstrumentation {
  const tracing = new HttpTracing(options)
  const undo: (() => void)[] = []
  listenToEnds(tracing)
  if (options.server !== false) undo.push(...listenToServers(tracing), patchServerEmit())
  if (options.client !== false) undo.push(...listenToClients(tracing), patchAgent(tracing))
  return {
    get failureCount() {
      return tracing.failureCount
    },
    disable: () => {
      for (const step of undo.splice(0)) step()
    },
  }
}

/** Subscribes for good behaviour: a subscriber that throws would end the process. */
function on(tracing: HttpTracing, channel: string, handle: (message: never) => void): () => void {
  const subscriber = (message: unknown): void => {
    try {
      // Each handler states the message that Node or undici documents for its channel.
      handle(message as never)
    } catch (error) {
      tracing.failed(channel, error)
    }
  }
  subscribe(channel, subscriber)
  return () => unsubscribe(channel, subscriber)
}

interface ServerMessage {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly socket: Socket
}

interface ClientMessage {
  readonly request: ClientRequest
  readonly response: IncomingMessage
  readonly error: unknown
}

interface UndiciMessage {
  readonly request: UndiciRequest
  readonly response: { readonly statusCode: number }
  readonly error: unknown
}

function listenToServers(tracing: HttpTracing): (() => void)[] {
  const start = ({ request, response }: ServerMessage): void => {
    const seen = startServerSpan(tracing, request, response)
    if (seen !== undefined && !enterContext(seen.context)) seen.mustRunInContext = true
  }
  return [on(tracing, 'http.server.request.start', start)]
}

function listenToClients(tracing: HttpTracing): (() => void)[] {
  const start = ({ request }: ClientMessage): void => startRequestSpan(tracing, request)
  return [
    // `created` (Node 22.12) sees requests without an agent in time for headers; `start`, on Node 20, only for a span.
    on(tracing, 'http.client.request.created', start),
    on(tracing, 'http.client.request.start', start),
    on(tracing, 'undici:request:create', (m: UndiciMessage) => startUndiciSpan(tracing, m.request)),
  ]
}

/** True once the channels that end spans are heard. Channels are global, and so is this. */
let endsAreHeard = false

/**
 * Hears the ends of all requests, and touches those that have a span. Stays for good: spans that are open when the
 * instrumentation is disabled must end too.
 */
function listenToEnds(tracing: HttpTracing): void {
  if (endsAreHeard) return
  endsAreHeard = true
  on(tracing, 'http.server.response.finish', (m: ServerMessage) => finishServerSpan(m.request, m.socket))
  on(tracing, 'http.client.response.finish', (m: ClientMessage) => respondRequestSpan(m.request, m.response))
  on(tracing, 'http.client.request.error', (m: ClientMessage) => failRequestSpan(m.request, m.error))
  on(tracing, 'undici:request:headers', (m: UndiciMessage) =>
    respondUndiciSpan(m.request, m.response.statusCode),
  )
  on(tracing, 'undici:request:trailers', (m: UndiciMessage) => endUndiciSpan(m.request))
  on(tracing, 'undici:request:error', (m: UndiciMessage) => failUndiciSpan(m.request, m.error))
}

/** Members of Agent that @types/node leaves out. */
interface AgentPrototype {
  addRequest: (this: unknown, request: ClientRequest, ...rest: unknown[]) => unknown
}

/**
 * Every request of node:http and node:https passes its agent's addRequest before its head is written. A prototype of
 * Node's own can be changed at any time: the order of imports does not matter.
 */
function patchAgent(tracing: HttpTracing): () => void {
  const prototype = http.Agent.prototype as unknown as AgentPrototype
  const original = prototype.addRequest
  let enabled = true
  function addRequest(this: unknown, request: ClientRequest, ...rest: unknown[]): unknown {
    if (enabled) startRequestSpan(tracing, request)
    return Reflect.apply(original, this, [request, ...rest])
  }
  prototype.addRequest = addRequest
  return () => {
    enabled = false
    // Somebody may have patched it after us; then ours stays in the chain and does nothing.
    if (prototype.addRequest === addRequest) prototype.addRequest = original
  }
}
