import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface JsonRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: unknown
}

export interface JsonServer {
  readonly url: string
  readonly requests: readonly JsonRequest[]
  readonly stop: () => Promise<void>
}

/** What a JsonServer says: a status and a JSON body, or whatever the function does. */
export type JsonResponder = (request: JsonRequest, response: ServerResponse) => void

export function answerJson(status: number, body: unknown): JsonResponder {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
}

/** A server on a port of its own that keeps what it gets; `respond` may be exchanged between requests. */
export async function startJsonServer(respond: () => JsonResponder): Promise<JsonServer> {
  const requests: JsonRequest[] = []
  const server = createServer((incoming, response) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const text = Buffer.concat(parts).toString('utf8')
      const request: JsonRequest = {
        path: incoming.url ?? '',
        headers: incoming.headers,
        body: text === '' ? undefined : JSON.parse(text),
      }
      requests.push(request)
      respond()(request, response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // A server that listens on TCP has an address of this shape.
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
