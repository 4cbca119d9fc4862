import type * as http from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { WorkerConfig } from '../messages.ts'
import { type Answer, answerBytesMax, answerFromHttp, describeError, type Transport } from './answer.ts'

const compress = promisify(gzip)

/** OTLP/HTTP with binary protobuf: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
export async function createHttpTransport(config: WorkerConfig): Promise<Transport> {
  const url = new URL(config.url)
  const client = url.protocol === 'https:' ? await import('node:https') : await import('node:http')
  const agent = new client.Agent({ keepAlive: true, maxSockets: config.concurrentRequestsMax, ...config.tls })
  const headers: http.OutgoingHttpHeaders = {
    ...config.headers,
    'content-type': 'application/x-protobuf',
    ...(config.compression === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
  }

  const attempt = (body: Uint8Array): Promise<Answer | 'stale-connection'> =>
    new Promise((resolve) => {
      const request = client.request(url, {
        method: 'POST',
        agent,
        headers: { ...headers, 'content-length': body.length },
      })
      const deadline = setTimeout(() => {
        settle(noAnswer(new Error(`no complete answer within ${config.timeoutMs} ms`)))
        request.destroy()
      }, config.timeoutMs)
      // The first call decides: what a destroyed request still reports is a consequence, not the cause.
      const settle = (answer: Answer | 'stale-connection'): void => {
        clearTimeout(deadline)
        resolve(answer)
      }
      request.on('response', (response) => {
        readAnswer(response, settle)
      })
      request.on('error', (error: NodeJS.ErrnoException) => {
        const isStale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
        settle(isStale ? 'stale-connection' : noAnswer(error))
      })
      request.end(body)
    })

  return {
    async send(request) {
      try {
        const body = config.compression === 'gzip' ? await compress(request, { level: 1 }) : request
        // The peer may close a kept connection in the same moment in which it is used again. That says nothing about
        // the collector, so it is tried again at once: each stale connection fails once, then a new one is opened.
        for (let stale = 0; stale <= config.concurrentRequestsMax; stale++) {
          const answer = await attempt(body)
          if (answer !== 'stale-connection') return answer
        }
        return noAnswer(new Error('the connection was closed before an answer'))
      } catch (error) {
        return noAnswer(error)
      }
    },
    close() {
      agent.destroy()
    },
  }
}

/** Settles when the whole answer is there; when the connection ends before that, it counts as no answer. */
function readAnswer(response: http.IncomingMessage, settle: (answer: Answer) => void): void {
  const parts: Buffer[] = []
  let sizeBytes = 0
  response.on('data', (part: Buffer) => {
    sizeBytes += part.length
    if (sizeBytes <= answerBytesMax) parts.push(part)
    else response.destroy()
  })
  response.on('error', (error) => {
    settle(noAnswer(error))
  })
  response.on('close', () => {
    if (sizeBytes > answerBytesMax)
      settle({
        kind: 'refused',
        reason: 'answer_too_large',
        cause: `an answer of more than ${answerBytesMax} bytes`,
      })
    else if (!response.complete) settle(noAnswer(new Error('the connection was closed within the answer')))
    else
      settle(
        answerFromHttp(
          {
            status: response.statusCode ?? 0,
            contentType: response.headers['content-type'] ?? '',
            retryAfter: response.headers['retry-after'],
            body: Buffer.concat(parts),
          },
          Date.now(),
        ),
      )
  })
}

function noAnswer(error: unknown): Answer {
  const isOtherProtocol = error instanceof Error && 'code' in error && String(error.code).startsWith('HPE_')
  const hint = isOtherProtocol ? ' (does this port speak OTLP/HTTP?)' : ''
  return { kind: 'retry', cause: describeError(error) + hint, delayMs: undefined }
}
