import { createServer } from 'node:http'
import { type DecodedSpan, decodeTraces } from '@throughline/otlp'

export interface CollectedSpan
  extends Pick<DecodedSpan, 'traceId' | 'spanId' | 'parentSpanId' | 'name' | 'kind'> {
  readonly serviceName: unknown
  readonly attributes: Readonly<Record<string, unknown>>
  readonly status: { readonly code: number; readonly message: string }
  readonly eventNames: readonly string[]
}

/** An OTLP/HTTP receiver. */
export interface Collector {
  readonly url: string
  readonly spans: readonly CollectedSpan[]
  close(): Promise<void>
}

export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      spans.push(...decoded(Buffer.concat(chunks)))
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    spans,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve())))
    },
  }
}

function decoded(bytes: Uint8Array): CollectedSpan[] {
  const { value, error } = decodeTraces(bytes)
  if (error) throw new Error(error.message)
  return value.resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const serviceName = attributesOf(resource.attributes)['service.name']
    return scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        ...span,
        serviceName,
        attributes: attributesOf(span.attributes),
        eventNames: span.events.map((event) => event.name),
      })),
    )
  })
}

function attributesOf(
  pairs: readonly { readonly key: string; readonly value: unknown }[],
): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]))
}
