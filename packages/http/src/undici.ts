import type { TextMapSetter } from '@opentelemetry/api'
import { type ClientSpan, startClientSpan } from './client-span.ts'
import type { OutgoingTarget } from './options.ts'
import type { HttpTracing } from './trace.ts'
import { redactUrl } from './url.ts'

/** What undici's diagnostics channels hand out, as far as it is read here (undici 5 to 8, and Node's own copy). */
export interface UndiciRequest {
  readonly method: string
  readonly origin: string | URL
  readonly path: string
  readonly upgrade?: unknown
  /** A flat list since undici 6, text before. */
  headers: unknown
  addHeader(name: string, value: string): unknown
}

const spans = new WeakMap<UndiciRequest, ClientSpan>()

export function startUndiciSpan(tracing: HttpTracing, request: UndiciRequest): void {
  if (spans.has(request)) return
  const span = tracing.guard('an outgoing fetch', undefined, () =>
    startClientSpan(tracing, targetOf(tracing, request), { headers: request, setter: undiciSetter }),
  )
  // No channel tells when a switched protocol ends, or that it was switched: a span would stay open for ever.
  if (span?.isRecording === true && !switchesProtocol(request)) spans.set(request, span)
}

export function respondUndiciSpan(request: UndiciRequest, status: number): void {
  // Informational answers (103 Early Hints) come before the real one.
  if (status >= 200) spans.get(request)?.respond({ status })
}

export function endUndiciSpan(request: UndiciRequest): void {
  spans.get(request)?.end()
}

export function failUndiciSpan(request: UndiciRequest, error: unknown): void {
  const span = spans.get(request)
  if (span === undefined) return
  // A body that its reader cancels arrives as an AbortError too; after the head this is the reader's right, no failure.
  if (span.hasResponse && error instanceof Error && error.name === 'AbortError') span.end()
  else span.fail(error)
}

function switchesProtocol(request: UndiciRequest): boolean {
  return (
    request.method === 'CONNECT' ||
    (request.upgrade !== undefined && request.upgrade !== null && request.upgrade !== false)
  )
}

function targetOf(tracing: HttpTracing, request: UndiciRequest): OutgoingTarget {
  const origin = new URL(String(request.origin))
  const host = origin.hostname.startsWith('[') ? origin.hostname.slice(1, -1) : origin.hostname
  const port = origin.port === '' ? (origin.protocol === 'https:' ? 443 : 80) : Number(origin.port)
  const url = redactUrl(`${origin.protocol}//${origin.host}${request.path}`, tracing.redactedKeys)
  return { method: request.method, host, port, url }
}

const undiciSetter: TextMapSetter<UndiciRequest> = {
  set: (request, key, value) => {
    if (!replaceHeader(request.headers, key, value)) request.addHeader(key, value)
  },
}

/** A header forwarded by hand from an incoming request must not be sent beside ours: two traceparents are none. */
function replaceHeader(headers: unknown, key: string, value: string): boolean {
  if (!Array.isArray(headers)) return false
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name: unknown = headers[i]
    if (typeof name === 'string' && name.length === key.length && name.toLowerCase() === key) {
      headers[i + 1] = value
      return true
    }
  }
  return false
}
