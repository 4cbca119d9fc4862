import type { ServerResponse } from 'node:http'

/** The codes of error answers, and the status that each one has. */
const statusOfCode = {
  invalid_input: 400,
  invalid_json: 400,
  missing_authorization: 401,
  authorization_failed: 401,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  version_conflict: 412,
  payload_too_large: 413,
  unsupported_media_type: 415,
  missing_if_match: 428,
  invalid_if_match: 400,
  rate_limited: 429,
  internal_error: 500,
  bad_gateway: 502,
  unavailable: 503,
} as const

export type HttpErrorCode = keyof typeof statusOfCode

/** Thrown by a handler, it becomes an error answer; the chain records a 5xx on the span and leaves the others alone. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly code: HttpErrorCode
  /** The status of its code. */
  readonly statusCode: number

  /** The message is for the caller: it is sent. */
  constructor(code: HttpErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.statusCode = statusOfCode[code]
  }
}

/** Answers `{"error":{"code","message"}}`; does nothing where an answer has begun already. */
export function sendError(response: ServerResponse, error: HttpError): void {
  sendJson(response, error.statusCode, { error: { code: error.code, message: error.message } })
}

/** Answers a JSON body; does nothing where an answer has begun already. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return
  const text = JSON.stringify(body)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}
