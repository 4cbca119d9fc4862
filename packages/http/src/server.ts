import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Context, propagation, type Span, SpanKind, trace } from '@opentelemetry/api'
import { contextWithSpan, type RecordingSpan, rootContext } from '@throughline/trace'
import { entriesToAttributes, methodInName, requestEntries } from './attributes.ts'
import { rawHeadersGetter, scanHeaders } from './carrier.ts'
import { Connection, connectionOf } from './connection.ts'
import { isExcluded } from './excluded-paths.ts'
import { runEventsInContext } from './request-context.ts'
import { type ResponseHead, ServerSpan, serverSpanOf } from './server-span.ts'
import type { HttpTracing, StartOptions } from './trace.ts'
import { redactQuery } from './url.ts'

/**
 * Starts the server span of a request that nobody has seen yet, whoever received it; undefined when tracing is off or the
 * request was seen before. Does not enter the context: the caller knows how.
 */
export function startServerSpan(
  tracing: HttpTracing,
  request: IncomingMessage,
  response: ServerResponse | ResponseHead,
): ServerSpan | undefined {
  if (serverSpanOf(request) !== undefined) return undefined
  const tracer = tracing.tracer()
  if (tracer === undefined) return undefined
  if (isIgnored(tracing, request)) {
    // The root context is entered all the same: the connection may still carry the context of the request before.
    return new ServerSpan(tracing, request, response, rootContext, undefined)
  }
  const headers = scanHeaders(request.rawHeaders)
  const parent = extractContext(tracing, request)
  const trusted = tracing.options.trust === undefined || isTrusted(tracing, request)
  const base = trusted ? parent : rootContext
  const connection = trackedConnection(request.socket)
  let span: Span | undefined
  try {
    connection.update(request, headers, tracing)
    const name = methodInName(request.method ?? '')
    if (trusted && tracing.attributesMayFollow) {
      span = tracer.startSpan(name, connection.startOptions, base)
      if (isRecordingHere(span)) span.setFlatAttributes(ownEntries(tracing, request, connection))
    } else {
      const options = startOptions(tracing, request, connection)
      if (!trusted) addLink(options, parent)
      span = tracer.startSpan(name, options, base)
    }
  } catch (error) {
    tracing.failed('the start of a server span', error)
  }
  const context = span === undefined ? base : contextWithSpan(base, span)
  if (headers.hasBody) runEventsInContext(request, context)
  if (span === undefined) return new ServerSpan(tracing, request, response, context, undefined)
  if (tracing.options.responseHeaders === true) setResponseHeaders(tracing, response, span)
  if (!span.isRecording()) return new ServerSpan(tracing, request, response, context, undefined)
  const seen = new ServerSpan(tracing, request, response, context, span)
  connection.open.push(seen)
  if (tracing.options.requestHook !== undefined) callHook(tracing, span, request)
  return seen
}

function isIgnored(tracing: HttpTracing, request: IncomingMessage): boolean {
  if (tracing.excludedPaths.length > 0 && isExcluded(request.url ?? '', tracing.excludedPaths)) return true
  const ignore = tracing.options.ignoreRequest
  return ignore !== undefined && tracing.guard('ignoreRequest', false, () => ignore(request))
}

function extractContext(tracing: HttpTracing, request: IncomingMessage): Context {
  try {
    return propagation.extract(rootContext, request.rawHeaders, rawHeadersGetter)
  } catch (error) {
    tracing.failed('extracting the incoming context', error)
    return rootContext
  }
}

/** A policy that throws has not said that the caller may be trusted. */
function isTrusted(tracing: HttpTracing, request: IncomingMessage): boolean {
  const { trust } = tracing.options
  if (typeof trust !== 'function') return trust === 'continue'
  return tracing.guard('trust', 'restart-with-link', () => trust(request)) === 'continue'
}

function addLink(options: StartOptions, extracted: Context): void {
  const caller = trace.getSpanContext(extracted)
  if (caller !== undefined) options.links = [{ context: caller }]
}

function callHook(tracing: HttpTracing, span: Span, request: IncomingMessage): void {
  tracing.guard('requestHook', undefined, () => tracing.options.requestHook?.(span, request))
}

/** A span of @throughline/trace that records; its tracer makes no other recording spans. */
function isRecordingHere(span: Span): span is RecordingSpan {
  return span.isRecording()
}

function startOptions(tracing: HttpTracing, request: IncomingMessage, connection: Connection): StartOptions {
  const attributes = entriesToAttributes(ownEntries(tracing, request, connection))
  if (tracing.takesBlocks) return { ...connection.startOptions, attributes }
  return { kind: SpanKind.SERVER, attributes: Object.assign(attributes, connection.attributes) }
}

/** What this request does not share with others of its connection. */
function ownEntries(
  tracing: HttpTracing,
  request: IncomingMessage,
  connection: Connection,
): (string | number)[] {
  const target = pathOf(request.url ?? '')
  const mark = target.indexOf('?')
  const facts = {
    method: request.method ?? '',
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : redactQuery(target.slice(mark + 1), tracing.redactedKeys),
  }
  return requestEntries(facts, connection.facts, tracing)
}

/** Proxies receive the absolute form (`GET http://host/path`): its path. */
function pathOf(target: string): string {
  if (target.startsWith('/') || target === '*') return target
  const scheme = target.indexOf('://')
  if (scheme < 0) return target
  const slash = target.indexOf('/', scheme + 3)
  return slash < 0 ? '/' : target.slice(slash)
}

function trackedConnection(socket: Socket): Connection {
  const known = connectionOf(socket)
  if (known !== undefined) return known
  const connection = new Connection(socket)
  // A test's fake request may have a fake socket.
  if (typeof socket.on === 'function') socket.on('close', () => abortAll(connection))
  return connection
}

function abortAll(connection: Connection): void {
  for (const open of connection.open.splice(0)) {
    // Listeners of the response's `close` belong to the request; this runs before Node emits it.
    if (open.response instanceof EventEmitter) runEventsInContext(open.response, open.context)
    open.abort()
  }
}

/** The response is complete: the span ends. */
export function finishServerSpan(request: IncomingMessage, socket: Socket | null | undefined): void {
  const seen = serverSpanOf(request)
  if (seen === undefined || seen.span === undefined) return
  if (socket) connectionOf(socket)?.close(seen)
  seen.finish()
}

function setResponseHeaders(tracing: HttpTracing, response: ServerResponse | ResponseHead, span: Span): void {
  tracing.guard('the response headers', undefined, () => {
    const spanContext = span.spanContext()
    if (!trace.isSpanContextValid(spanContext) || response.headersSent || !('setHeader' in response)) return
    response.setHeader('X-Trace-ID', spanContext.traceId)
    response.setHeader('X-Span-ID', spanContext.spanId)
  })
}
