import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { limits } from '../limits.ts'
import { type ListenTarget, listenError, portOf } from '../listen.ts'
import { decodeRequest, type Encoding, encodeResponse, encodeStatus, grpcCode } from './codec.ts'
import type { Ingest, Signal } from './ingest.ts'

export interface Receiver {
  readonly port: number
  /** Stops taking requests and resolves when those under way are answered. */
  stop(): Promise<void>
}

const signals: Readonly<Record<string, Signal>> = {
  '/v1/traces': 'traces',
  '/v1/logs': 'logs',
  '/v1/metrics': 'metrics',
}

/** OTLP/HTTP: protobuf and JSON, plain or gzip. https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export async function startHttpReceiver(ingest: Ingest, target: ListenTarget): Promise<Receiver> {
  const server = createServer({ requestTimeout: limits.requestTimeoutMs }, (request, response) => {
    // An aborted request rejects here; there is nobody left to answer.
    answer(request, ingest).then(
      (reply) => send(response, reply),
      () => response.destroy(),
    )
  })
  await listen(server, target)
  return { port: portOf(server.address()), stop: () => stop(server) }
}

function listen(server: Server, target: ListenTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(target, error)))
    server.listen(target.port, target.host, () => resolve())
  })
}

function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
}

interface Reply {
  readonly status: number
  readonly contentType: string
  readonly body: Uint8Array | string
  readonly headers?: Readonly<Record<string, string>>
}

const contentTypes: Readonly<Record<Encoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
}

async function answer(request: IncomingMessage, ingest: Ingest): Promise<Reply> {
  const path = request.url?.split('?', 1)[0] ?? ''
  const signal = signals[path]
  if (signal === undefined) return plain(404, `Lens takes ${Object.keys(signals).join(' and ')}, not ${path}`)
  if (request.method !== 'POST') return { ...plain(405, 'use POST'), headers: { allow: 'POST' } }
  const encoding = encodingOf(request.headers['content-type'])
  if (encoding === undefined)
    return plain(415, 'content-type must be application/x-protobuf or application/json')
  const coding = request.headers['content-encoding'] ?? 'identity'
  if (coding !== 'gzip' && coding !== 'identity')
    return failure(encoding, { status: 415, message: 'content-encoding must be gzip or absent' })
  const body = await readBody(request, { gzip: coding === 'gzip' })
  if (!(body instanceof Uint8Array)) return failure(encoding, body)
  const decoded = decodeRequest(body, { signal, encoding })
  if ('error' in decoded) return failure(encoding, { status: 400, message: decoded.error })
  const outcome = await ingest.take(decoded)
  if (outcome.kind === 'unavailable')
    return { ...failure(encoding, { status: 503, message: outcome.reason }), headers: { 'retry-after': '1' } }
  const message = encodeResponse(outcome, { signal, encoding })
  return { status: 200, contentType: contentTypes[encoding], body: message }
}

function encodingOf(contentType: string | undefined): Encoding | undefined {
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase()
  if (mediaType === 'application/x-protobuf') return 'protobuf'
  return mediaType === 'application/json' ? 'json' : undefined
}

interface BodyFault {
  readonly status: 400 | 413
  readonly message: string
}

async function readBody(
  request: IncomingMessage,
  { gzip }: { readonly gzip: boolean },
): Promise<Uint8Array | BodyFault> {
  const { requestBytesMax, inflatedBytesMax } = limits
  const tooLarge: BodyFault = { status: 413, message: `the body has more than ${requestBytesMax} bytes` }
  if (Number(request.headers['content-length'] ?? 0) > requestBytesMax) return tooLarge
  const chunks: Buffer[] = []
  let sizeBytes = 0
  // Left early, the request must not be destroyed: node reads and discards the rest, so that the sender sees the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > requestBytesMax) return tooLarge
    chunks.push(chunk)
  }
  const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
  if (!gzip) return body
  try {
    return await promisify(gunzip)(body, { maxOutputLength: inflatedBytesMax })
  } catch (error) {
    const tooLong = error instanceof RangeError
    return tooLong
      ? { status: 413, message: `the body has more than ${inflatedBytesMax} bytes after gunzip` }
      : { status: 400, message: 'the body is not gzip, as content-encoding says' }
  }
}

const plain = (status: number, message: string): Reply => ({
  status,
  contentType: 'text/plain; charset=utf-8',
  body: `${message}\n`,
})

/** Errors carry a google.rpc.Status. https://opentelemetry.io/docs/specs/otlp/#failures-1 */
function failure(
  encoding: Encoding,
  { status, message }: { readonly status: 400 | 413 | 415 | 503; readonly message: string },
): Reply {
  const code = status === 503 ? grpcCode.unavailable : grpcCode.invalidArgument
  return { status, contentType: contentTypes[encoding], body: encodeStatus({ code, message }, encoding) }
}

function send(response: ServerResponse, reply: Reply): void {
  response.writeHead(reply.status, {
    'content-type': reply.contentType,
    'content-length': Buffer.byteLength(reply.body),
    ...reply.headers,
  })
  response.end(reply.body)
}
