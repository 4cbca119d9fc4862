import * as http2 from 'node:http2'
import type { Socket } from 'node:net'
import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import type { SignalName, WorkerConfig } from '../messages.ts'
import { type Answer, acceptedAnswer, answerBytesMax, type Transport } from './answer.ts'
import type { CredentialSource, Credentials } from './credentials.ts'
import { failureText, noStatusCode } from './failure-text.ts'
import { answerFromGrpcStatus, answerFromHttpStatus } from './grpc-status.ts'
import { openSocket } from './open-socket.ts'

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** https://github.com/open-telemetry/opentelemetry-proto/tree/main/opentelemetry/proto/collector */
const exportServices: Readonly<Record<SignalName, string>> = {
  traces: 'trace.v1.TraceService',
  logs: 'logs.v1.LogsService',
}

/**
 * TraceService/Export or LogsService/Export as a unary gRPC call over node:http2, on one connection that is made anew when it is gone:
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
 */
export function createGrpcTransport(config: WorkerConfig, credentials: CredentialSource): Transport {
  const url = new URL(config.url)
  const fixedHeaders: http2.OutgoingHttpHeaders = {
    ':method': 'POST',
    ':path': `/opentelemetry.proto.collector.${exportServices[config.signal]}/Export`,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': `${config.timeoutMs}m`,
    'grpc-accept-encoding': 'identity,gzip',
    ...(config.compression === 'gzip' ? { 'grpc-encoding': 'gzip' } : {}),
  }
  let connection: Connection | undefined

  const connect = ({ secureContext, tlsVersion }: Credentials): Connection => {
    const known = connection
    if (known !== undefined && known.tlsVersion === tlsVersion && isUsable(known)) return known
    // After GOAWAY, or with other certificates: the calls on it may end, it takes no others.
    if (known !== undefined) abandon(known)
    const destination = { url, socketPath: config.socketPath, applicationProtocol: 'h2' } as const
    const socket = openSocket(destination, secureContext)
    const session = http2.connect(url.origin, { createConnection: () => socket })
    // The calls on this session report the error, each for itself.
    session.on('error', () => {})
    connection = { session, socket, tlsVersion, callCount: 0, hasAnswered: false, isAbandoned: false }
    return connection
  }

  return {
    async send(request) {
      try {
        const isCompressed = config.compression === 'gzip'
        const body = isCompressed ? await compress(request, { level: 1 }) : request
        const frame = messageFrame(body, { isCompressed })
        const current = credentials()
        if ('cause' in current) return { kind: 'retry', cause: current.cause, delayMs: undefined }
        const headers = { ...current.headers, ...fixedHeaders }
        const used = connect(current)
        const isFirstOnConnection = !used.hasAnswered
        const outcome = await callOn(used, { headers, frame, body, timeoutMs: config.timeoutMs })
        const answer = await answerFromCall(outcome)
        if (!('error' in answer)) return answer
        return noAnswer(answer.error, { isTls: url.protocol === 'https:', isFirstOnConnection })
      } catch (error) {
        return noAnswer(error, { isTls: url.protocol === 'https:', isFirstOnConnection: false })
      }
    },
    close() {
      if (connection !== undefined) destroy(connection)
    },
  }
}

interface Connection {
  readonly session: http2.ClientHttp2Session
  readonly socket: Socket
  readonly tlsVersion: number
  callCount: number
  /** Anything came back on it, so that a peer that speaks our protocol is there. */
  hasAnswered: boolean
  /** No new calls; destroyed by the last one that ends. */
  isAbandoned: boolean
}

/** A connection on which a call got no answer may be dead without knowing it: the next call opens another one. */
async function callOn(connection: Connection, options: CallOptions): Promise<CallOutcome> {
  connection.callCount++
  try {
    const outcome = await call(connection.session, options)
    if (outcome.isTimeout) connection.isAbandoned = true
    if (':status' in outcome.headers) connection.hasAnswered = true
    return outcome
  } finally {
    connection.callCount--
    if (connection.isAbandoned) abandon(connection)
  }
}

function abandon(connection: Connection): void {
  connection.isAbandoned = true
  if (connection.callCount === 0) destroy(connection)
}

/** The socket too: a session that is closed only half-closes it, and waits for a peer that may never say anything. */
function destroy({ session, socket }: Connection): void {
  session.destroy()
  socket.destroy()
}

function isUsable({ session, isAbandoned }: Connection): boolean {
  return !isAbandoned && !session.closed && !session.destroyed
}

interface CallOptions {
  readonly headers: http2.OutgoingHttpHeaders
  readonly frame: Uint8Array
  readonly body: Uint8Array
  readonly timeoutMs: number
}

interface CallOutcome {
  headers: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader
  trailers: http2.IncomingHttpHeaders
  message: Buffer
  error: unknown
  isTimeout: boolean
  isTooLarge: boolean
}

/** One call, resolved when its stream is closed; what came until then is in the outcome. */
function call(session: http2.ClientHttp2Session, options: CallOptions): Promise<CallOutcome> {
  return new Promise((resolve) => {
    const outcome: CallOutcome = {
      headers: {},
      trailers: {},
      message: Buffer.alloc(0),
      error: undefined,
      isTimeout: false,
      isTooLarge: false,
    }
    const parts: Buffer[] = []
    let sizeBytes = 0
    const stream = session.request(options.headers)
    const deadline = setTimeout(() => {
      outcome.isTimeout = true
      outcome.error = new Error(`no complete answer within ${options.timeoutMs} ms`)
      resolve(outcome)
      stream.close(http2.constants.NGHTTP2_CANCEL)
    }, options.timeoutMs)
    stream.on('response', (headers) => {
      outcome.headers = headers
    })
    stream.on('trailers', (trailers) => {
      outcome.trailers = trailers
    })
    stream.on('data', (part: Buffer) => {
      sizeBytes += part.length
      if (sizeBytes <= answerBytesMax) parts.push(part)
      else {
        outcome.isTooLarge = true
        stream.close(http2.constants.NGHTTP2_CANCEL)
      }
    })
    stream.on('error', (error: Error) => {
      outcome.error ??= error.cause ?? error
    })
    stream.on('close', () => {
      clearTimeout(deadline)
      outcome.message = Buffer.concat(parts)
      resolve(outcome)
    })
    stream.write(options.frame)
    stream.end(options.body)
  })
}

/** The collector's status counts whenever it came, also when the stream was reset after it. */
async function answerFromCall(outcome: CallOutcome): Promise<Answer | { readonly error: unknown }> {
  const { headers, trailers, message } = outcome
  if (outcome.isTooLarge)
    return {
      kind: 'refused',
      reason: 'answer_too_large',
      cause: `an answer of more than ${answerBytesMax} bytes`,
    }
  const block = 'grpc-status' in trailers ? trailers : headers
  if ('grpc-status' in block)
    return block['grpc-status'] === '0'
      ? acceptedAnswer(await messageOfFrame(message), 'application/grpc')
      : answerFromGrpcStatus(block)
  if (outcome.isTimeout || outcome.error !== undefined) return { error: outcome.error }
  const status = headers[':status']
  if (status !== undefined && status !== 200) return answerFromHttpStatus(status)
  const error = new Error('the stream ended without a gRPC status')
  return { error: status === undefined ? Object.assign(error, { code: noStatusCode }) : error }
}

/** Flag and length in front of the message. */
function messageFrame(body: Uint8Array, { isCompressed }: { isCompressed: boolean }): Uint8Array {
  const frame = new Uint8Array(5)
  frame[0] = isCompressed ? 1 : 0
  new DataView(frame.buffer).setUint32(1, body.length)
  return frame
}

/** Never fails: the call has succeeded already. What is no frame is given on as it is, so that its decoding fails and is told. */
async function messageOfFrame(bytes: Buffer): Promise<Uint8Array> {
  if (bytes.length < 5 || bytes.readUInt32BE(1) !== bytes.length - 5) return bytes
  const message = bytes.subarray(5)
  if (bytes[0] === 0) return message
  try {
    return await decompress(message, { maxOutputLength: answerBytesMax })
  } catch {
    return bytes
  }
}

function noAnswer(error: unknown, connection: { isTls: boolean; isFirstOnConnection: boolean }): Answer {
  return { kind: 'retry', cause: failureText({ error, speaks: 'gRPC', ...connection }), delayMs: undefined }
}
