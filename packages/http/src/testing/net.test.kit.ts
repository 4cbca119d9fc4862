import { once } from 'node:events'
import http, { type RequestListener, type Server } from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { context, trace } from '@opentelemetry/api'

/** A listening server that is closed, with its connections, when the test ends. */
/** Of the context in which this is called; `none` without a span. */
export function activeTraceId(): string {
  return trace.getSpanContext(context.active())?.traceId ?? 'none'
}

export async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return portOf(server)
}

export function portOf(server: net.Server): number {
  return (server.address() as AddressInfo).port
}

export async function serve(t: TestContext, handler: RequestListener): Promise<number> {
  return listen(t, http.createServer(handler))
}

export interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: string
}

/** One request over node:http on a connection of its own. */
export async function request(
  port: number,
  options: http.RequestOptions & { readonly body?: string } = {},
): Promise<Answer> {
  const { body, ...rest } = options
  const sent = http.request({ host: '127.0.0.1', port, agent: false, ...rest })
  sent.end(body)
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode ?? 0, headers: response.headers, body: text }
}

/** A bare connection, for what an HTTP client would not send. */
export async function connect(t: TestContext, port: number): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  t.after(() => socket.destroy())
  return socket
}

/** Reads until `text` has passed, or fails when the connection closes first. Returns everything read. */
export async function readUntil(socket: Socket, text: string): Promise<string> {
  let all = ''
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      socket.off('data', onData).off('close', onClose)
      settle()
    }
    const onData = (chunk: Buffer): void => {
      all += chunk.toString('latin1')
      if (all.includes(text)) finish(() => resolve(all))
    }
    const onClose = (): void => finish(() => reject(new Error(`closed before ${text}, after ${all}`)))
    socket.on('data', onData).on('close', onClose)
  })
}

/** Everything that comes until the connection closes, in whatever way. */
export async function readToClose(socket: Socket): Promise<string> {
  let all = ''
  socket.on('data', (chunk: Buffer) => {
    all += chunk.toString('latin1')
  })
  socket.on('error', () => {})
  return new Promise((resolve) => {
    socket.on('close', () => resolve(all))
  })
}

/** A hook that fails. */
export function throwing(): never {
  throw new Error('hook')
}
