import type { IncomingMessage } from 'node:http'
import { HttpError } from './http-error.ts'

/**
 * The JSON value of a request's body. Throws an HttpError: `unsupported_media_type` where the body is not said to be JSON,
 * `invalid_json` where it is none, or more than one. Its size is the chain's business.
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';', 1)
  if (!/^application\/(?:[\w.-]+\+)?json$/i.test(type.trim()))
    throw new HttpError('unsupported_media_type', 'Content-Type must be application/json')
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer) // Nobody has set an encoding on it.
  const text = Buffer.concat(parts).toString('utf8')
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new HttpError('invalid_json', invalidJsonText(cause), { cause })
  }
}

/** V8 says where it stopped when a whole value is followed by something. */
function invalidJsonText(cause: unknown): string {
  const hasTrailingData = cause instanceof SyntaxError && /after JSON at position/.test(cause.message)
  return hasTrailingData ? 'Request body must contain a single JSON value' : 'Request body must be valid JSON'
}
