import type { IncomingMessage, ServerResponse } from 'node:http'
import { context } from '@opentelemetry/api'
import { startHandledSpan } from './middleware.ts'
import type { HttpOptions } from './options.ts'
import { recordHttpException, serverSpanOf, setHttpRoute } from './server-span.ts'
import { HttpTracing } from './trace.ts'

/** The parts of Hono's context, as @hono/node-server makes it, that are read here. */
export interface HonoContextLike {
  /** @hono/node-server puts node's objects here; other adapters have none, and then there is nothing to trace. */
  readonly env: unknown
  readonly req: {
    readonly path: string
    /** Every handler that the request passes, in order, with the template that it was registered for. */
    readonly matchedRoutes: readonly { readonly method: string; readonly path: string }[]
  }
  /** What a handler threw; Hono turns it into an answer itself. */
  readonly error: Error | undefined
}

interface NodeBindings {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
}

/**
 * Hono middleware for @hono/node-server: `app.use(honoTracing())`, before all others. Names the server span by the route's
 * template and records what handlers throw, unless it is a 4xx answer. Makes the server span itself where instrumentHttp
 * did not; only then the options have a meaning. Throws an HttpTracingError for a wrong option.
 */
export function honoTracing(
  options: HttpOptions = {},
): (hono: HonoContextLike, next: () => Promise<void>) => Promise<void> {
  const tracing = new HttpTracing(options)
  return async (hono, next) => {
    const node = nodeBindings(hono.env)
    if (node === undefined) return next()
    const handle = async (): Promise<void> => {
      await next()
      if (hono.error !== undefined) recordHttpException(node.incoming, hono.error)
      setHttpRoute(node.incoming, routeOf(hono))
    }
    if (serverSpanOf(node.incoming) !== undefined) return handle()
    const seen = startHandledSpan(tracing, { request: node.incoming, response: node.outgoing })
    return seen === undefined ? handle() : context.with(seen.context, handle)
  }
}

function nodeBindings(env: unknown): NodeBindings | undefined {
  const { incoming, outgoing } = (env ?? {}) as Partial<NodeBindings>
  return incoming === undefined || outgoing === undefined ? undefined : { incoming, outgoing }
}

/** The last handler's template; middleware is registered for `ALL` and a wildcard, and is no route. */
function routeOf({ req }: HonoContextLike): string {
  const route = req.matchedRoutes.findLast(({ method, path }) => method !== 'ALL' || !path.endsWith('*'))
  return route?.path ?? ''
}
