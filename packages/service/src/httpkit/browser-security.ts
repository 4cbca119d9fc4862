import type { IncomingMessage, ServerResponse } from 'node:http'
import { HttpError } from './http-error.ts'

const headers: readonly (readonly [string, string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
]

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export function setSecurityHeaders(response: ServerResponse): void {
  for (const [name, value] of headers) response.setHeader(name, value)
}

/** Throws an HttpError for a request that a foreign page made a browser send. https://www.w3.org/TR/fetch-metadata/ */
export function refuseCrossSite(request: IncomingMessage): void {
  if (safeMethods.has(request.method ?? '')) return
  if (request.headers['sec-fetch-site'] === 'cross-site')
    throw new HttpError('forbidden', 'Requests from another site are not allowed')
}
