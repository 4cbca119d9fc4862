import { context } from '@opentelemetry/api'
import { fetchHeadersSetter } from './carrier.ts'
import { type ClientSpan, startClientSpan } from './client-span.ts'
import type { HttpOptions, OutgoingTarget } from './options.ts'
import { coveredContext, HttpTracing } from './trace.ts'
import { redactUrl } from './url.ts'

const tracedKey: unique symbol = Symbol.for('throughline.http.traced-fetch')

type Fetch = typeof globalThis.fetch
type Input = Parameters<Fetch>[0]
type Init = Parameters<Fetch>[1]

/**
 * A fetch with one client span per call, redirects included, that ends when the body was read, cancelled or failed. The
 * trace headers go into a copy of the headers. Adds nothing twice: not to a traced fetch, and not below instrumentHttp.
 *
 * `base` is any function of fetch's shape; the default is the global fetch at the time of each call. Responses of other
 * classes than the global Response (node-fetch's) end their span at the head. Throws an HttpTracingError for a wrong option.
 */
export function tracedFetch(base?: Fetch, options: HttpOptions = {}): Fetch {
  if (base !== undefined && tracedKey in base) return base
  const tracing = new HttpTracing(options)
  const traced: Fetch = (input, init) => fetchInSpan(tracing, base ?? globalThis.fetch, { input, init })
  return Object.assign(traced, { [tracedKey]: true })
}

interface Call {
  readonly input: Input
  readonly init: Init
}

async function fetchInSpan(tracing: HttpTracing, base: Fetch, { input, init }: Call): Promise<Response> {
  const started = tracing.guard('an outgoing fetch', undefined, () => start(tracing, { input, init }))
  if (started === undefined) return base(input, init)
  const { span, headers } = started
  try {
    const below = coveredContext(span.context)
    const response = await context.with(below, () => base(input, { ...init, headers }))
    span.respond({ status: response.status })
    return followBody(response, span)
  } catch (error) {
    span.fail(error)
    throw error
  }
}

function start(
  tracing: HttpTracing,
  { input, init }: Call,
): { span: ClientSpan; headers: Headers } | undefined {
  if (tracing.tracer() === undefined) return undefined
  const request = input instanceof Request ? input : undefined
  const target = targetOf(tracing, {
    url: input instanceof Request ? input.url : input.toString(),
    method: init?.method ?? request?.method ?? 'GET',
  })
  const headers = new Headers(init?.headers ?? request?.headers)
  const span = startClientSpan(tracing, target, { headers, setter: fetchHeadersSetter })
  return span === undefined ? undefined : { span, headers }
}

function targetOf(
  tracing: HttpTracing,
  call: { readonly url: string; readonly method: string },
): OutgoingTarget {
  const url = new URL(call.url)
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port)
  url.hash = ''
  return { method: call.method.toUpperCase(), host, port, url: redactUrl(url.href, tracing.redactedKeys) }
}

/** The same response with a body that ends the span. */
function followBody(response: Response, span: ClientSpan): Response {
  if (!span.isRecording) return response
  if (!(response instanceof Response) || response.body === null || response.bodyUsed) {
    span.end()
    return response
  }
  const { status, statusText, headers } = response
  const followed = new Response(followedStream(response.body, span), { status, statusText, headers })
  return withOriginOf(response, followed)
}

function followedStream(body: ReadableStream<Uint8Array>, span: ClientSpan): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream(
    {
      type: 'bytes',
      pull: async (controller) => {
        try {
          const { done, value } = await reader.read()
          if (!done) {
            controller.enqueue(value)
            return
          }
          span.end()
          controller.close()
          // A reader that brought its own buffer waits for it.
          controller.byobRequest?.respond(0)
        } catch (error) {
          span.fail(error)
          controller.error(error)
        }
      },
      cancel: async (reason) => {
        span.end()
        await reader.cancel(reason)
      },
    },
    // Nothing is read before the caller reads.
    { highWaterMark: 0 },
  )
}

/** A Response made by hand forgets where it came from; so does its clone. */
function withOriginOf(origin: Response, response: Response): Response {
  return Object.defineProperties(response, {
    url: { value: origin.url },
    redirected: { value: origin.redirected },
    type: { value: origin.type },
    clone: { value: () => withOriginOf(origin, Response.prototype.clone.call(response)) },
  })
}
