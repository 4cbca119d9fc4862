import { setHttpRoute } from '@throughline/http'
import type { FastifyInstance } from 'fastify'

/** Names each server span by the route that was found, so that no handler has to know of tracing. */
export function nameSpans(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _, done) => {
    const { url } = request.routeOptions
    if (url !== undefined) setHttpRoute(request.raw, url)
    done()
  })
}
