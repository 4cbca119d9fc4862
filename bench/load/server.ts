// Hello world, on node:http or Fastify. Loads both by require, so that every instrumentation finds its hook: the
// CommonJS path is the one that all of them support best.
import type * as Http from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import type * as Fastify from 'fastify'

const require = createRequire(import.meta.url)

/** Set-up files put here what has to be registered before the routes. */
interface BenchGlobal {
  fastifyPlugin?: () => never
}

async function startHttp(): Promise<Http.Server> {
  const { createServer } = require('node:http') as typeof Http
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/plain')
    response.end('hello world')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

async function startFastify(): Promise<Http.Server> {
  const { fastify } = require('fastify') as typeof Fastify
  const app = fastify()
  const plugin = (globalThis as BenchGlobal).fastifyPlugin
  if (plugin !== undefined) await app.register(plugin)
  app.get('/', (_request, reply) => {
    reply.type('text/plain').send('hello world')
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server
}

const server = await (process.env['BENCH_FRAMEWORK'] === 'fastify' ? startFastify() : startHttp())
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send?.({ cpuMs: (user + system) / 1000, rssBytes: process.memoryUsage.rss() })
})
process.send?.((server.address() as AddressInfo).port)
