import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { context, propagation, SpanKind, type Tracer } from '@opentelemetry/api'
import { contextWithSpan, rootContext } from '@throughline/trace'

interface Callback {
  readonly url: string
  readonly arguments: unknown
}

/**
 * The service under test of the W3C's trace context harness: it takes `[{ url, arguments }]` and posts `arguments` to
 * each `url`, in the trace that it was called in. Uses OpenTelemetry's globals: register a provider first.
 */
export function createTraceContextService(tracer: Tracer): Server {
  return createServer((incoming, outgoing) => {
    handle(tracer, incoming, outgoing).catch((error: unknown) => {
      outgoing.statusCode = 500
      outgoing.end(JSON.stringify(String(error)))
    })
  })
}

async function handle(tracer: Tracer, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  // `headersDistinct` keeps repeated headers apart; `headers` joins them or drops all but the first.
  const parent = propagation.extract(rootContext, incoming.headersDistinct)
  const span = tracer.startSpan('POST', { kind: SpanKind.SERVER }, parent)
  await context.with(contextWithSpan(parent, span), async () => {
    for (const callback of (await readJson(incoming)) as readonly Callback[]) await call(tracer, callback)
  })
  span.end()
  outgoing.setHeader('content-type', 'application/json')
  outgoing.end('{}')
}

async function call(tracer: Tracer, callback: Callback): Promise<void> {
  await tracer.startActiveSpan('POST', { kind: SpanKind.CLIENT }, async (span) => {
    const headers: Record<string, string> = { 'content-type': 'application/json' }
    propagation.inject(context.active(), headers)
    await post(callback.url, { headers, body: JSON.stringify(callback.arguments) })
    span.end()
  })
}

function post(url: string, message: { headers: Record<string, string>; body: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method: 'POST', headers: message.headers }, (response) => {
      response.resume().on('end', resolve).on('error', reject)
    })
    outgoing.on('error', reject).end(message.body)
  })
}

async function readJson(incoming: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString())
}
