import type { ClientRequest, IncomingMessage } from 'node:http'
import type { TextMapSetter } from '@opentelemetry/api'
import { authority } from './attributes.ts'
import { type ClientSpan, startClientSpan } from './client-span.ts'
import type { OutgoingTarget } from './options.ts'
import type { HttpTracing } from './trace.ts'
import { redactPath, splitHost } from './url.ts'

/** Shared by all copies of this package in a process; the value `null` says: seen, no span. */
const clientSpanKey: unique symbol = Symbol.for('throughline.http.client-span')

/** Members of ClientRequest that @types/node leaves out. */
interface SeenRequest extends ClientRequest {
  [clientSpanKey]?: ClientSpan | null
  /** The head as it will be written; a string once it is made. Node makes it early for raw header lists and `Expect`. */
  _header?: string | null
  _headerSent?: boolean
  /** What waits for a socket. */
  outputData?: { data: unknown }[]
  outputSize?: number
}

/** Starts the client span of a request that nobody has seen yet. The headers must not have been written. */
export function startRequestSpan(tracing: HttpTracing, request: ClientRequest): void {
  const seen = request as SeenRequest
  if (seen[clientSpanKey] !== undefined) return
  seen[clientSpanKey] = null
  const span = tracing.guard('an outgoing request', undefined, () =>
    startClientSpan(tracing, targetOf(tracing, seen), { headers: seen, setter: requestSetter }),
  )
  if (span === undefined || !span.isRecording) return
  seen[clientSpanKey] = span
  // Only `close` is listened to: a listener of `error` or `response` would change what Node does without one.
  request.once('close', () => requestClosed(request, span))
}

/** The head of the response arrived. */
export function respondRequestSpan(request: ClientRequest, response: IncomingMessage): void {
  const span = (request as SeenRequest)[clientSpanKey]
  if (!span?.isRecording) return
  respond(span, response)
  response.once('end', () => span.end())
  response.once('close', () => bodyClosed(span, response))
}

export function failRequestSpan(request: ClientRequest, error: unknown): void {
  ;(request as SeenRequest)[clientSpanKey]?.fail(error)
}

function respond(span: ClientSpan, response: IncomingMessage): void {
  span.respond({
    status: response.statusCode ?? 0,
    httpVersion: response.httpVersion,
    peerAddress: response.socket.remoteAddress,
    peerPort: response.socket.remotePort,
  })
}

/** Closed by us without an error: the reader had enough. With one: the peer went away in the middle. */
function bodyClosed(span: ClientSpan, response: IncomingMessage): void {
  const { errored } = response
  if (errored === null) span.end()
  else span.fail(errored)
}

/** The last chance: answers that switch protocols, and requests that end without any answer or error. */
function requestClosed(request: ClientRequest, span: ClientSpan): void {
  // Set by Node in any version, missing in @types/node 20.
  const { res } = request as { res?: IncomingMessage | null }
  if (span.hasResponse) {
    if (res?.complete === true && res.readableEnded) span.end()
    return
  }
  if (res) {
    respond(span, res)
    span.end()
    return
  }
  span.fail(request.errored ?? new Error('request closed before a response arrived'))
}

function targetOf(tracing: HttpTracing, request: SeenRequest): OutgoingTarget {
  const { host: name, port: given } = splitHost(hostOf(request))
  const scheme = request.protocol === 'https:' ? 'https' : 'http'
  const host = name.toLowerCase()
  const port = given ?? (scheme === 'https' ? 443 : 80)
  const path = redactPath(request.path, tracing.redactedKeys)
  // CONNECT's path is an authority, OPTIONS' may be an asterisk, a proxy's is a whole URL.
  const absolute = path.startsWith('/') ? path : `/${path}`
  return {
    method: request.method,
    host,
    port,
    url: `${scheme}://${authority({ scheme, host, port })}${absolute}`,
  }
}

/** The Host header has the port, which ClientRequest does not keep elsewhere. */
function hostOf(request: SeenRequest): string {
  const header = request.getHeader('host')
  if (typeof header === 'string') return header
  return request.host
}

const requestSetter: TextMapSetter<SeenRequest> = {
  set: (request, key, value) => {
    const head = request._header
    if (typeof head !== 'string') {
      request.setHeader(key, value)
      return
    }
    const extended = withHeader(head, key, value)
    const queued = request.outputData?.[0]
    if (request._headerSent === true) {
      // `Expect` puts the head in the queue at once; nothing has been written while there is no socket.
      if (request.socket !== null || queued?.data !== head) return
      queued.data = extended
      request.outputSize = (request.outputSize ?? 0) + extended.length - head.length
    }
    request._header = extended
  },
}

/** Adds a header to a head that is already text, unless it is there. What could break the head apart is refused. */
function withHeader(head: string, key: string, value: string): string {
  const text = `${key}: ${value}`
  if (/[^\t\x20-\x7e]/.test(text) || head.toLowerCase().includes(`\r\n${key.toLowerCase()}:`)) return head
  return `${head.slice(0, -2)}${text}\r\n\r\n`
}
