import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { garbage, partialSuccess, rpcStatus } from './answer.ts'
import type { AnswerOf, PeerServer } from './otlp-peer.ts'

/** OTLP over HTTP: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export async function listenForHttp(host: string, port: number, answerOf: AnswerOf): Promise<PeerServer> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => respond(Buffer.concat(parts), request, response))
    // A client that goes away in between is what some of the tests are about.
    request.on('error', () => {})
  })

  function respond(body: Buffer, request: IncomingMessage, response: ServerResponse): void {
    const answer = answerOf(body, request.headers['content-encoding'] === 'gzip')
    const protobuf = { 'content-type': 'application/x-protobuf' }
    switch (answer.kind) {
      case 'accept':
        setTimeout(() => response.writeHead(200, protobuf).end(), answer.delayMs ?? 0)
        break
      case 'hang':
        break
      case 'refuse': {
        const retryAfter =
          answer.retryAfterSeconds === undefined ? {} : { 'retry-after': String(answer.retryAfterSeconds) }
        response
          .writeHead(answer.status, { ...protobuf, ...retryAfter })
          .end(rpcStatus(2, answer.message ?? '', undefined))
        break
      }
      case 'partial':
        response.writeHead(200, protobuf).end(partialSuccess(answer.rejectedCount, answer.message))
        break
      case 'garbage':
        response.writeHead(200, { 'content-type': 'text/html' }).end(garbage)
        break
      case 'half':
        response.writeHead(200, { ...protobuf, 'content-length': '100' })
        response.write(Buffer.alloc(10), () => request.socket.destroy())
        break
      case 'reset':
        request.socket.resetAndDestroy()
        break
    }
  }

  server.listen(port, host)
  await once(server, 'listening')
  return {
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}
