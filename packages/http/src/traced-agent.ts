import type { Agent, ClientRequest } from 'node:http'
import { listenToEnds } from './channels.ts'
import { startRequestSpan } from './client-request.ts'
import { http } from './node-builtins.ts'
import type { HttpOptions } from './options.ts'
import { HttpTracing } from './trace.ts'

const tracedKey: unique symbol = Symbol.for('throughline.http.traced-agent')

/** Members of Agent that @types/node leaves out. */
interface AgentInternals {
  [tracedKey]?: true
  addRequest: (this: unknown, request: ClientRequest, ...rest: unknown[]) => unknown
}

/**
 * Gives every request that passes through `agent` a client span and the trace headers. The agent is changed and returned;
 * a second call changes nothing. Without an agent: a new keep-alive http.Agent (for https pass an https.Agent).
 * Throws an HttpTracingError for a wrong option.
 */
export function tracedAgent<A extends Agent = Agent>(agent?: A, options: HttpOptions = {}): A {
  const tracing = new HttpTracing(options)
  // Without an argument A is its default, http.Agent.
  const traced = agent ?? (new http.Agent({ keepAlive: true }) as A)
  const internals = traced as unknown as AgentInternals
  if (internals[tracedKey] === true) return traced
  listenToEnds(tracing)
  internals[tracedKey] = true
  const { addRequest } = internals
  internals.addRequest = function addTracedRequest(request, ...rest): unknown {
    startRequestSpan(tracing, request)
    return Reflect.apply(addRequest, this, [request, ...rest])
  }
  return traced
}
