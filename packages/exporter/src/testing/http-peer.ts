import * as http from 'node:http'
import * as https from 'node:https'
import type { AddressInfo } from 'node:net'

export interface PeerRequest {
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  /** Which connection it came on, from 0. */
  readonly connectionIndex: number
}

export interface HttpPeer {
  readonly url: string
  readonly port: number
  readonly requests: readonly PeerRequest[]
  connectionCount(): number
  /** Resolves when this many requests are there. */
  received(requestCount: number): Promise<void>
  readonly stop: () => Promise<void>
}

export type HttpResponder = (response: http.ServerResponse, request: PeerRequest, index: number) => void

/** An OTLP/HTTP receiver that keeps what it gets and answers as the test says. */
export async function startHttpPeer(
  respond: HttpResponder,
  options: { port?: number; tls?: https.ServerOptions } = {},
): Promise<HttpPeer> {
  const requests: PeerRequest[] = []
  const waiting = new Set<() => void>()
  const connections: unknown[] = []
  const listener: http.RequestListener = (incoming, response) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const request: PeerRequest = {
        path: incoming.url ?? '',
        headers: incoming.headers,
        body: Buffer.concat(parts),
        connectionIndex: connections.indexOf(incoming.socket),
      }
      requests.push(request)
      respond(response, request, requests.length - 1)
      for (const wake of waiting) wake()
    })
  }
  const server =
    options.tls === undefined ? http.createServer(listener) : https.createServer(options.tls, listener)
  server.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket) =>
    connections.push(socket),
  )
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo // A TCP server's address is never a string.
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    requests,
    connectionCount: () => connections.length,
    received: (requestCount) =>
      new Promise((resolve) => {
        const wake = (): void => {
          if (requests.length < requestCount) return
          waiting.delete(wake)
          resolve()
        }
        waiting.add(wake)
        wake()
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Full success. */
export const accept: HttpResponder = (response) => {
  response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
}

/** A port of this machine on which nothing listens. */
export async function unusedPort(): Promise<number> {
  const peer = await startHttpPeer(accept)
  await peer.stop()
  return peer.port
}
