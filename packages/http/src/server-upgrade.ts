import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { finishServerSpan, startServerSpan } from './server.ts'
import type { ServerSpan } from './server-span.ts'
import type { HttpTracing } from './trace.ts'

type Write = (chunk?: unknown, ...rest: unknown[]) => unknown

/**
 * The span of a request that leaves HTTP (`upgrade`, CONNECT): there is no response object, the handler writes the
 * response's head to the socket. The first write is taken for it and ends the span, so that the span measures the
 * handshake and not the life of the connection.
 */
export function startUpgradeSpan(
  tracing: HttpTracing,
  request: IncomingMessage,
  socket: Socket,
): ServerSpan | undefined {
  const head = { statusCode: 0, headersSent: false }
  const seen = startServerSpan(tracing, request, head)
  if (seen?.span === undefined) return seen
  const answered = (chunk: unknown): void => {
    head.statusCode = statusOf(chunk)
    head.headersSent = true
    finishServerSpan(request, socket)
  }
  watchFirst(socket as unknown as Record<'write' | 'end', Write>, answered)
  return seen
}

/** Calls `answered` with what is written first, and leaves the socket as it was. */
function watchFirst(socket: Record<'write' | 'end', Write>, answered: (chunk: unknown) => void): void {
  const watch = (name: 'write' | 'end'): void => {
    socket[name] = function watched(this: typeof socket, ...args: unknown[]): unknown {
      Reflect.deleteProperty(socket, 'write')
      Reflect.deleteProperty(socket, 'end')
      answered(args[0])
      return Reflect.apply(socket[name], this, args)
    }
  }
  watch('write')
  watch('end')
}

/** `HTTP/1.1 101 Switching Protocols` gives 101; anything else 0. */
function statusOf(chunk: unknown): number {
  const text = Buffer.isBuffer(chunk) ? chunk.toString('latin1', 0, 12) : String(chunk).slice(0, 12)
  const status = text.startsWith('HTTP/1.') ? Number(text.slice(9)) : 0
  return Number.isInteger(status) ? status : 0
}
