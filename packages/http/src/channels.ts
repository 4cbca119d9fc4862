import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { failRequestSpan, respondRequestSpan } from './client-request.ts'
import { finishServerSpan } from './server.ts'
import type { HttpTracing } from './trace.ts'
import { endUndiciSpan, failUndiciSpan, respondUndiciSpan, type UndiciRequest } from './undici.ts'

// What Node and undici publish, as far as it is read here.
// https://nodejs.org/api/diagnostics_channel.html#built-in-channels
export interface ServerMessage {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly socket: Socket
}

export interface ClientMessage {
  readonly request: ClientRequest
  readonly response: IncomingMessage
  readonly error: unknown
}

export interface UndiciMessage {
  readonly request: UndiciRequest
  readonly response: { readonly statusCode: number }
  readonly error: unknown
}

/** Subscribes for good behaviour: a subscriber that throws would end the process. */
export function listen(tracing: HttpTracing, channel: string, handle: (message: never) => void): () => void {
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

/** True once the channels that end spans are heard. Channels are global, and so is this. */
let endsAreHeard = false

/**
 * Hears the ends of all requests, and touches those that have a span. Stays for good: spans that are open when the
 * instrumentation is disabled must end too.
 */
export function listenToEnds(tracing: HttpTracing): void {
  if (endsAreHeard) return
  endsAreHeard = true
  listen(tracing, 'http.server.response.finish', (m: ServerMessage) => finishServerSpan(m.request, m.socket))
  listen(tracing, 'http.client.response.finish', (m: ClientMessage) =>
    respondRequestSpan(m.request, m.response),
  )
  listen(tracing, 'http.client.request.error', (m: ClientMessage) => failRequestSpan(m.request, m.error))
  listen(tracing, 'undici:request:headers', (m: UndiciMessage) =>
    respondUndiciSpan(m.request, m.response.statusCode),
  )
  listen(tracing, 'undici:request:trailers', (m: UndiciMessage) => endUndiciSpan(m.request))
  listen(tracing, 'undici:request:error', (m: UndiciMessage) => failUndiciSpan(m.request, m.error))
}
