import { once } from 'node:events'
import { createServer, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { garbage, grpcCodes, partialSuccess, rpcStatus } from './answer.ts'
import type { AnswerOf, PeerServer } from './otlp-peer.ts'

/**
 * OTLP over gRPC on bare node:http2, since a gRPC library would not let us answer wrongly:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export async function listenForGrpc(host: string, port: number, answerOf: AnswerOf): Promise<PeerServer> {
  const sockets = new Set<Socket>()
  const server = createServer()
  // Before the server's own listener, which makes the session.
  server.prependListener('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
  })
  server.on('sessionError', () => {})
  server.on('session', (session) => {
    const socket = [...sockets].at(-1)
    session.on('stream', (stream) => {
      const parts: Buffer[] = []
      stream.on('data', (part: Buffer) => parts.push(part))
      stream.on('end', () => respond(Buffer.concat(parts), stream, socket))
      stream.on('error', () => {})
    })
  })

  function respond(frame: Buffer, stream: ServerHttp2Stream, socket: Socket | undefined): void {
    // One message: a flag for compression, four bytes of length, the bytes. A client that dies may leave half of them.
    if (frame.length < 5 || frame.length !== 5 + frame.readUInt32BE(1)) return
    const answer = answerOf(frame.subarray(5), frame[0] === 1)
    switch (answer.kind) {
      case 'accept':
        setTimeout(() => succeed(stream, Buffer.alloc(0)), answer.delayMs ?? 0)
        break
      case 'hang':
        break
      case 'refuse': {
        const code = grpcCodes[answer.status]
        const details = rpcStatus(code, answer.message ?? '', answer.retryAfterSeconds)
        const headers = {
          ':status': 200,
          'content-type': 'application/grpc',
          'grpc-status': String(code),
          'grpc-message': encodeURIComponent(answer.message ?? ''),
          'grpc-status-details-bin': details.toString('base64'),
        }
        stream.respond(headers, { endStream: true })
        break
      }
      case 'partial':
        succeed(stream, partialSuccess(answer.rejectedCount, answer.message))
        break
      case 'garbage':
        succeed(stream, garbage)
        break
      case 'half':
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
        stream.write(messageFrame(Buffer.alloc(100)).subarray(0, 15), () => socket?.destroy())
        break
      case 'reset':
        socket?.resetAndDestroy()
        break
    }
  }

  server.listen(port, host)
  await once(server, 'listening')
  return {
    close: async () => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function succeed(stream: ServerHttp2Stream, message: Buffer): void {
  if (stream.destroyed) return
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(messageFrame(message))
}

function messageFrame(message: Buffer): Buffer {
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  message.copy(frame, 5)
  return frame
}
