import type { ClientRequest } from 'node:http'
import { enterContext } from '@throughline/trace'
import {
  type ClientMessage,
  listen,
  listenToEnds,
  type ServerMessage,
  type UndiciMessage,
} from './channels.ts'
import { startRequestSpan } from './client-request.ts'
import { http } from './node-builtins.ts'
import type { HttpOptions } from './options.ts'
import { startServerSpan } from './server.ts'
import { patchServerEmit } from './server-emit.ts'
import { HttpTracing } from './trace.ts'
import { startUndiciSpan } from './undici.ts'

/** The handle on what `instrumentHttp` switched on. */
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
 * Throws an HttpTracingError for a wrong option; after that nothing reaches the host.
 */
export function instrumentHttp(options: HttpOptions = {}): HttpInstrumentation {
  const tracing = new HttpTracing(options)
  const undo: (() => void)[] = []
  listenToEnds(tracing)
  if (options.server !== false) undo.push(...listenToServers(tracing), patchServerEmit(tracing))
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

function listenToServers(tracing: HttpTracing): (() => void)[] {
  const start = ({ request, response }: ServerMessage): void => {
    const seen = startServerSpan(tracing, request, response)
    if (seen !== undefined && !enterContext(seen.context)) seen.mustRunInContext = true
  }
  return [listen(tracing, 'http.server.request.start', start)]
}

function listenToClients(tracing: HttpTracing): (() => void)[] {
  const start = ({ request }: ClientMessage): void => startRequestSpan(tracing, request)
  return [
    // `created` (Node 22.12) sees requests without an agent in time for headers; `start`, on Node 20, only for a span.
    listen(tracing, 'http.client.request.created', start),
    listen(tracing, 'http.client.request.start', start),
    listen(tracing, 'undici:request:create', (m: UndiciMessage) => startUndiciSpan(tracing, m.request)),
  ]
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
