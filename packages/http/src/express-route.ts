import type { IncomingMessage } from 'node:http'

/** What Express leaves on a request that one of its routes took. */
interface RoutedRequest extends IncomingMessage {
  readonly route?: { readonly path?: unknown } | undefined
  readonly baseUrl?: unknown
}

/**
 * The route of a request that Express handled, empty for any other. Express keeps no template for the path of a mounted
 * router, only what matched: its segments are kept when they look like words, and replaced by `:param` otherwise, so
 * that names stay few.
 */
export function expressRoute(request: IncomingMessage): string {
  const { route, baseUrl } = request as RoutedRequest
  const path = route?.path
  if (typeof path !== 'string') return ''
  const base = typeof baseUrl === 'string' ? baseUrl : ''
  if (base === '') return path
  const mounted = base
    .split('/')
    .map((segment) => (isWord(segment) ? segment : ':param'))
    .join('/')
  return path === '/' ? mounted : mounted + path
}

/** Letters with dashes, or a version like `v2`. */
function isWord(segment: string): boolean {
  return /^([a-z][a-z_-]{0,31}|v\d{1,3})?$/i.test(segment)
}
