import { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Context, propagation, ROOT_CONTEXT, type Span, SpanKind, trace } from '@opentelemetry/api'
import { methodInName, serverAttributes } from './attributes.ts'
import { rawHeader, rawHeadersGetter } from './carrier.ts'
import { type Connection, connectionOf } from './connection.ts'
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
  if (serverSpanOf(request) !== undefined || tracing.tracer() === undefined) return undefined
  if (isIgnored(tracing, request)) {
    // The root context is entered all the same: the connection may still carry the context of the request before.
    return new ServerSpan(tracing, { request, response, context: ROOT_CONTEXT, span: undefined })
  }
  const { parent, link } = incomingContext(tracing, request)
  const connection = trackedConnection(request.socket)
  const span = tracing.guard('the start of a server span', undefined, () =>
    startSpan({ tracing, request, connection, parent, link }),
  )
  const context = span === undefined ? parent : trace.setSpan(parent, span)
  const recording = span?.isRecording() === true
  const seen = new ServerSpan(tracing, { request, response, context, span: recording ? span : undefined })
  if (tracing.options.responseHeaders === true && span !== undefined && 'setHeader' in response)
    setResponseHeaders(tracing, response, span)
  if (hasBody(request)) runEventsInContext(request, context)
  if (!recording) return seen
  connection.open.push(seen)
  const hook = tracing.options.requestHook
  if (hook !== undefined) tracing.guard('requestHook', undefined, () => hook(span, request))
  return seen
}

function isIgnored(tracing: HttpTracing, request: IncomingMessage): boolean {
  if (tracing.excludedPaths.length > 0 && isExcluded(request.url ?? '', tracing.excludedPaths)) return true
  const ignore = tracing.options.ignoreRequest
  return ignore !== undefined && tracing.guard('ignoreRequest', false, () => ignore(request))
}

interface Incoming {
  readonly parent: Context
  /** The caller's span, where it is not trusted to be the parent. */
  readonly link: Span | undefined
}

function incomingContext(tracing: HttpTracing, request: IncomingMessage): Incoming {
  let extracted = ROOT_CONTEXT
  try {
    extracted = propagation.extract(ROOT_CONTEXT, request.rawHeaders, rawHeadersGetter)
  } catch (error) {
    tracing.failed('extracting the incoming context', error)
  }
  const { trust } = tracing.options
  if (trust === undefined || trust === 'continue') return { parent: extracted, link: undefined }
  // A policy that throws has not said that the caller may be trusted.
  const verdict =
    typeof trust === 'function' ? tracing.guard('trust', 'restart-with-link', () => trust(request)) : trust
  if (verdict === 'continue') return { parent: extracted, link: undefined }
  return { parent: ROOT_CONTEXT, link: trace.getSpan(extracted) }
}

interface Start extends Incoming {
  readonly tracing: HttpTracing
  readonly request: IncomingMessage
  readonly connection: Connection
}

function startSpan({ tracing, request, connection, parent, link }: Start): Span | undefined {
  connection.update(request, { names: tracing, trustProxy: tracing.options.trustProxy === true })
  const method = request.method ?? ''
  const target = pathOf(request.url ?? '')
  const mark = target.indexOf('?')
  const facts = {
    method,
    path: mark < 0 ? target : target.slice(0, mark),
    query: mark < 0 ? '' : redactQuery(target.slice(mark + 1), tracing.redactedKeys),
  }
  const attributes = serverAttributes(facts, connection.facts, tracing)
  const options: StartOptions = { kind: SpanKind.SERVER, attributes }
  if (tracing.takesBlocks) options.attributeBlock = connection.block
  else Object.assign(attributes, connection.attributes)
  if (link !== undefined) options.links = [{ context: link.spanContext() }]
  return tracing.tracer()?.startSpan(methodInName(method), options, parent)
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
  return connectionOf(socket, (connection) => {
    if (typeof socket.on !== 'function') return
    socket.on('close', () => {
      for (const open of connection.open.splice(0)) {
        // Listeners of the response's `close` belong to the request; this one runs before Node emits it.
        if (open.response instanceof EventEmitter) runEventsInContext(open.response, open.context)
        open.abort()
      }
    })
  })
}

/** The response is complete: the span ends. */
export function finishServerSpan(request: IncomingMessage, socket: Socket | null | undefined): void {
  const seen = serverSpanOf(request)
  if (seen === undefined || seen.span === undefined) return
  if (socket) connectionOf(socket, () => {}).close(seen)
  seen.finish()
}

function setResponseHeaders(tracing: HttpTracing, response: ServerResponse, span: Span): void {
  tracing.guard('the response headers', undefined, () => {
    const spanContext = span.spanContext()
    if (!trace.isSpanContextValid(spanContext) || response.headersSent) return
    response.setHeader('X-Trace-ID', spanContext.traceId)
    response.setHeader('X-Span-ID', spanContext.spanId)
  })
}

function hasBody(request: IncomingMessage): boolean {
  const { rawHeaders } = request
  return (
    rawHeader(rawHeaders, 'content-length') !== undefined ||
    rawHeader(rawHeaders, 'transfer-encoding') !== undefined
  )
}
