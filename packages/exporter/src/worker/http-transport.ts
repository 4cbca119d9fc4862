import * as http from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { WorkerConfig } from '../messages.ts'
import { type Answer, answerBytesMax, answerFromHttp, type Transport } from './answer.ts'
import type { CredentialSource, Credentials } from './credentials.ts'
import { failureText } from './failure-text.ts'
import { jsonFromRequest } from './json-body.ts'
import { openSocket } from './open-socket.ts'

const compress = promisify(gzip)

/** OTLP/HTTP, binary protobuf or JSON: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export function createHttpTransport(config: WorkerConfig, credentials: CredentialSource): Transport {
  const isJson = config.protocol === 'http/json'
  const fixedHeaders: http.OutgoingHttpHeaders = {
    host: new URL(config.url).host,
    'content-type': isJson ? 'application/json' : 'application/x-protobuf',
    ...(config.compression === 'gzip' && { 'content-encoding': 'gzip' }),
  }
  let connections: Connections | undefined

  /** Those that were made with these credentials; others end with their last request. */
  const connectionsFor = (current: Credentials): Connections => {
    if (connections?.tlsVersion === current.tlsVersion) return connections
    if (connections !== undefined) retire(connections)
    connections = openConnections(config, current)
    return connections
  }

  return {
    async send(request) {
      try {
        const encoded = isJson ? jsonFromRequest(request, config.signal) : { value: request }
        if (encoded.cause !== undefined)
          return { kind: 'refused', cause: encoded.cause, reason: 'encode_error' }
        const body =
          config.compression === 'gzip' ? await compress(encoded.value, { level: 1 }) : encoded.value
        const current = credentials()
        if ('cause' in current) return { kind: 'retry', cause: current.cause, delayMs: undefined }
        const headers = { ...current.headers, ...fixedHeaders, 'content-length': body.length }
        return await sendOn(connectionsFor(current), { config, headers, body })
      } catch (error) {
        return noAnswer(error, config, { isFirst: false })
      }
    },
    close() {
      connections?.agent.destroy()
    },
  }
}

interface Connections {
  readonly agent: http.Agent
  readonly tlsVersion: number
  requestCount: number
  isRetired: boolean
}

function openConnections(config: WorkerConfig, current: Credentials): Connections {
  const agent = new http.Agent({ keepAlive: true, maxSockets: config.concurrentRequestsMax })
  const destination = {
    url: new URL(config.url),
    socketPath: config.socketPath,
    applicationProtocol: 'http/1.1',
  } as const
  // The agent's own method would connect without TLS. https.Agent does the rest of TLS in a way of its own, which
  // knows credentials as texts only.
  Object.assign(agent, { createConnection: () => openSocket(destination, current.secureContext) })
  return { agent, tlsVersion: current.tlsVersion, requestCount: 0, isRetired: false }
}

/** Destroying the agent now would break the requests that are under way. */
function retire(connections: Connections): void {
  connections.isRetired = true
  if (connections.requestCount === 0) connections.agent.destroy()
}

interface HttpRequest {
  readonly config: WorkerConfig
  readonly headers: http.OutgoingHttpHeaders
  readonly body: Uint8Array
}

async function sendOn(connections: Connections, request: HttpRequest): Promise<Answer> {
  connections.requestCount++
  try {
    // The peer may close a kept connection in the same moment in which it is used again. That says nothing about
    // the collector, so it is tried again at once: each stale connection fails once, then a new one is opened.
    for (let stale = 0; stale <= request.config.concurrentRequestsMax; stale++) {
      const answer = await attempt(connections.agent, request)
      if (answer !== 'stale-connection') return answer
    }
    return noAnswer(new Error('the connection was closed before an answer'), request.config, {
      isFirst: false,
    })
  } finally {
    connections.requestCount--
    if (connections.isRetired) retire(connections)
  }
}

function attempt(
  agent: http.Agent,
  { config, headers, body }: HttpRequest,
): Promise<Answer | 'stale-connection'> {
  const { pathname, search } = new URL(config.url)
  return new Promise((resolve) => {
    const request = http.request({ method: 'POST', path: pathname + search, agent, headers })
    const deadline = setTimeout(() => {
      settle(
        noAnswer(new Error(`no complete answer within ${config.timeoutMs} ms`), config, { isFirst: false }),
      )
      request.destroy()
    }, config.timeoutMs)
    // The first call decides: what a destroyed request still reports is a consequence, not the cause.
    const settle = (answer: Answer | 'stale-connection'): void => {
      clearTimeout(deadline)
      resolve(answer)
    }
    request.on('response', (response) => {
      readAnswer(response, config, settle)
    })
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isStale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
      settle(isStale ? 'stale-connection' : noAnswer(error, config, { isFirst: !request.reusedSocket }))
    })
    request.end(body)
  })
}

/** Settles when the whole answer is there; when the connection ends before that, it counts as no answer. */
function readAnswer(
  response: http.IncomingMessage,
  config: WorkerConfig,
  settle: (answer: Answer) => void,
): void {
  const parts: Buffer[] = []
  let sizeBytes = 0
  response.on('data', (part: Buffer) => {
    sizeBytes += part.length
    if (sizeBytes <= answerBytesMax) parts.push(part)
    else response.destroy()
  })
  response.on('error', (error) => {
    settle(noAnswer(error, config, { isFirst: false }))
  })
  response.on('close', () => {
    if (sizeBytes > answerBytesMax)
      settle({
        kind: 'refused',
        reason: 'answer_too_large',
        cause: `an answer of more than ${answerBytesMax} bytes`,
      })
    else if (!response.complete)
      settle(noAnswer(new Error('the connection was closed within the answer'), config, { isFirst: false }))
    else
      settle(
        answerFromHttp(
          {
            status: response.statusCode ?? 0,
            contentType: response.headers['content-type'] ?? '',
            retryAfter: response.headers['retry-after'],
            location: response.headers.location,
            body: Buffer.concat(parts),
          },
          Date.now(),
        ),
      )
  })
}

function noAnswer(error: unknown, config: WorkerConfig, { isFirst }: { isFirst: boolean }): Answer {
  const cause = failureText({
    error,
    speaks: 'OTLP/HTTP',
    isTls: config.url.startsWith('https:'),
    isFirstOnConnection: isFirst,
  })
  return { kind: 'retry', cause, delayMs: undefined }
}
