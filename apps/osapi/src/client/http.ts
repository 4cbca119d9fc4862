import {
  type ClientRequest,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http'

// The slowest answer is a command of 300 seconds, and what the job system needs around it.
const timeoutMsDefault = 330_000
const bodyBytesMax = 256 * 1024 * 1024

export interface HttpClientOptions {
  /** `http://host:8080`; the `/api` prefix is added. */
  readonly baseUrl: string
  readonly token: string
  /** Aborted: requests under way are given up. */
  readonly signal?: AbortSignal
  readonly timeoutMs?: number
  readonly onResponse?: (response: ResponseInfo) => void
}

export interface ResponseInfo {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly durationMs: number
  readonly traceId: string | undefined
}

export interface Answer<Body> {
  readonly status: number
  readonly body: Body
  /** The body as it came. */
  readonly text: string
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Below `/api`, e.g. `/node/_any/hostname`. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
  /** Statuses beside 2xx that are an answer too. */
  readonly accepted?: readonly number[]
  /** The answer is text, not JSON. */
  readonly isText?: boolean
}

/** The API refused or failed: `status` and the `error` text of its body. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export type HttpClient = <Body>(request: ApiRequest) => Promise<Answer<Body>>

/**
 * Calls the API. Rejects with ApiError when it answers with a failure, and with whatever error the connection or the
 * parser met otherwise. The trace context goes along by the instrumentation of node:http; there is nothing here for it.
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const base = baseOf(options.baseUrl)
  return async (request) => {
    const url = new URL(`${base.pathname.replace(/\/$/u, '')}/api${request.path}`, base)
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value))
    }
    const startedAt = performance.now()
    const response = await exchange(url, request, options)
    const { status, text } = response
    const durationMs = performance.now() - startedAt
    options.onResponse?.({
      method: request.method,
      url: url.href,
      status,
      durationMs,
      traceId: response.traceId,
    })
    const isAccepted = (status >= 200 && status < 300) || request.accepted?.includes(status) === true
    if (!isAccepted) throw new ApiError(status, errorText(status, text))
    return { status, text, body: (request.isText || text === '' ? text : parseBody(url, text)) as never }
  }
}

function baseOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new Error(`invalid API url "${text}": must begin with http:// or https://`)
}

async function exchange(
  url: URL,
  request: ApiRequest,
  options: HttpClientOptions,
): Promise<{ status: number; text: string; traceId: string | undefined }> {
  const body = request.body === undefined ? undefined : JSON.stringify(request.body)
  const timeout = AbortSignal.timeout(options.timeoutMs ?? timeoutMsDefault)
  const sent = await send(url, {
    method: request.method,
    // One command makes few requests: a kept connection would only keep the process.
    agent: false,
    signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    headers: {
      authorization: `Bearer ${options.token}`,
      accept: request.isText ? 'text/plain' : 'application/json',
      'user-agent': 'osapi-cli',
      ...(body !== undefined && {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      }),
    },
  })
  const response = await responseOf(sent, body)
  const traceId = response.headers['x-trace-id']
  return {
    status: response.statusCode ?? 0,
    text: await textOf(response),
    traceId: typeof traceId === 'string' ? traceId : undefined,
  }
}

async function send(url: URL, requestOptions: RequestOptions): Promise<ClientRequest> {
  if (url.protocol === 'http:') return httpRequest(url, requestOptions)
  const https = await import('node:https')
  return https.request(url, requestOptions)
}

function responseOf(request: ClientRequest, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve)
    request.on('error', reject)
    request.end(body)
  })
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > bodyBytesMax) throw new Error(`answer is larger than ${bodyBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseBody(url: URL, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Error(`${url.origin} did not answer with JSON`, { cause: error })
  }
}

/** The `error` of the body; for what is no answer of this API, the text itself. */
function errorText(status: number, text: string): string {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body === 'object' && body !== null && 'error' in body) return String(body.error)
  } catch {
    // Not JSON: a proxy's page, most likely.
  }
  return text.trim().slice(0, 200) || `status ${status}`
}
