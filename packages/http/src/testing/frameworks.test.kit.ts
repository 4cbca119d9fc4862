import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type { TestContext } from 'node:test'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import express, { type RequestHandler } from 'express'
import fastify, { type FastifyInstance } from 'fastify'
import { fastifyTracing, type HttpOptions, httpMiddleware, instrumentHttp, setHttpRoute } from '../index.ts'
import { contractOf } from './contract.test.kit.ts'
import { activeTraceId, listen, portOf, request, serve, throwing } from './net.test.kit.ts'
import type { TestProvider } from './provider.test.kit.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${traceId}-b7ad6b7169203331-01`

function instrument(t: TestContext, options: HttpOptions = {}): void {
  const instrumentation = instrumentHttp({ client: false, ...options })
  t.after(() => instrumentation.disable())
}

async function start(t: TestContext, app: FastifyInstance): Promise<number> {
  t.after(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  return portOf(app.server)
}

/** Middleware, Fastify and Express over any provider. */
export function frameworkContract(provider: TestProvider): void {
  middlewareContract(provider)
  for (const mode of ['alone', 'with instrumentHttp'] as const) fastifyContract(provider, mode)
  expressContract(provider)
}

function middlewareContract(provider: TestProvider): void {
  const { collector } = provider
  const contract = contractOf(provider, 'httpMiddleware')

  contract('around a plain handler', async (t) => {
    let active = ''
    const handler = httpMiddleware({ responseHeaders: true })((incoming, response) => {
      setHttpRoute(incoming, '/a/:b')
      incoming.on('end', () => {
        active = activeTraceId()
        response.writeHead(503).end()
      })
      incoming.resume()
    })
    const port = await serve(t, (incoming, response) => void handler(incoming, response))
    const answer = await request(port, { method: 'POST', body: 'x', headers: { traceparent } })
    const span = await collector.one()
    assert.equal(span.name, 'POST /a/:b')
    assert.equal(span.kind, SpanKind.SERVER)
    assert.equal(span.attributes['http.response.status_code'], 503)
    assert.equal(span.status.code, SpanStatusCode.ERROR)
    assert.equal(answer.headers['x-trace-id'], traceId)
    assert.equal(active, traceId)
  })

  contract('a rejected handler: exception and ERROR, and the rejection goes on', async (t) => {
    const handler = httpMiddleware()(async () => Promise.reject(new RangeError('no')))
    let rejected: unknown
    const port = await serve(t, (incoming, response) => {
      Promise.resolve(handler(incoming, response)).catch((error: unknown) => {
        rejected = error
        response.writeHead(500).end()
      })
    })
    await request(port)
    const span = await collector.one()
    assert.ok(rejected instanceof RangeError)
    assert.equal(span.attributes['error.type'], 'RangeError')
    assert.equal(span.events[0]?.name, 'exception')
    assert.equal(span.status.code, SpanStatusCode.ERROR)
  })

  contract('a handler that throws: exception and ERROR, and the error goes on', async (t) => {
    const handler = httpMiddleware()(throwing)
    const port = await serve(t, (incoming, response) => {
      assert.throws(() => handler(incoming, response), { message: 'hook' })
      response.writeHead(500).end()
    })
    await request(port)
    const span = await collector.one()
    assert.equal(span.status.message, 'hook')
    assert.equal(span.events[0]?.name, 'exception')
  })

  contract('an aborted request is an error', async (t) => {
    const handler = httpMiddleware()(() => {})
    const arrived = new Promise<void>((resolve) => {
      void serve(t, (incoming, response) => {
        handler(incoming, response)
        resolve()
      }).then((port) => {
        const sent = http.get({ port, host: '127.0.0.1', agent: false })
        sent.on('error', () => {})
        void arrived.then(() => sent.destroy())
      })
    })
    assert.equal((await collector.one()).attributes['error.type'], 'aborted')
  })

  contract('beside instrumentHttp there is one span', async (t) => {
    instrument(t)
    const handler = httpMiddleware()((_, response) => response.end())
    const port = await serve(t, (incoming, response) => void handler(incoming, response))
    await request(port)
    await collector.one()
  })

  contract('HTTP/2', async (t) => {
    const handler = httpMiddleware()((_, response) => response.end(activeTraceId()))
    const server = http2.createServer((incoming, response) => {
      // The compatibility API's objects offer what a node:http handler uses.
      handler(incoming as unknown as http.IncomingMessage, response as unknown as http.ServerResponse)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = http2.connect(`http://127.0.0.1:${portOf(server)}`)
    t.after(() => {
      session.destroy()
      server.close()
    })
    const stream = session.request({ ':path': '/two?a=1', traceparent })
    let body = ''
    for await (const chunk of stream) body += String(chunk)
    const span = await collector.one()
    assert.equal(body, traceId)
    assert.equal(span.attributes['url.path'], '/two')
    assert.equal(span.attributes['server.address'], '127.0.0.1')
    assert.equal(span.attributes['network.protocol.version'], '2')
    assert.equal(span.attributes['http.response.status_code'], 200)
  })
}

function fastifyContract(provider: TestProvider, mode: 'alone' | 'with instrumentHttp'): void {
  const { collector } = provider
  const contract = contractOf(provider, `Fastify ${mode}`)

  async function application(t: TestContext): Promise<FastifyInstance> {
    if (mode === 'with instrumentHttp') instrument(t)
    const app = fastify()
    await app.register(fastifyTracing)
    return app
  }

  contract('the route template names the span, also of routes in plugins', async (t) => {
    const app = await application(t)
    await app.register(
      async (scope) => {
        scope.get('/user/:id', async () => activeTraceId())
      },
      { prefix: '/api' },
    )
    const port = await start(t, app)
    const answer = await request(port, { path: '/api/user/7?x=1', headers: { traceparent } })
    const span = await collector.one()
    assert.equal(span.name, 'GET /api/user/:id')
    assert.equal(span.attributes['http.route'], '/api/user/:id')
    assert.equal(span.attributes['url.path'], '/api/user/7')
    assert.equal(answer.body, traceId)
  })

  contract('the context holds after the body was parsed, in hooks and after awaits', async (t) => {
    const app = await application(t)
    const seen: string[] = []
    app.addHook('preHandler', async () => {
      seen.push(activeTraceId())
    })
    app.addHook('onResponse', async () => {
      seen.push(activeTraceId())
    })
    app.post('/body', async () => {
      await new Promise(setImmediate)
      seen.push(activeTraceId())
      return {}
    })
    const port = await start(t, app)
    const headers = { traceparent, 'content-type': 'application/json', 'content-length': 7 }
    const sent = http.request({
      port,
      host: '127.0.0.1',
      method: 'POST',
      path: '/body',
      headers,
      agent: false,
    })
    sent.write('{"a"')
    // The rest goes in a packet of its own: the parser has handed out the first one by then.
    await once(app.server, 'request')
    sent.end(':1}')
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage]
    response.resume()
    await collector.one()
    assert.deepEqual(seen, [traceId, traceId, traceId])
  })

  contract('what no route takes is named by the method alone', async (t) => {
    const port = await start(t, await application(t))
    await request(port, { path: '/nowhere' })
    const span = await collector.one()
    assert.equal(span.name, 'GET')
    assert.equal(span.attributes['http.route'], undefined)
    assert.equal(span.status.code, SpanStatusCode.UNSET)
  })

  contract('errors of handlers are recorded; errors that are 4xx answers are not', async (t) => {
    const app = await application(t)
    app.get('/fail', async () => {
      throw new RangeError('broken')
    })
    app.get('/refuse', async () => {
      throw Object.assign(new Error('no'), { statusCode: 403 })
    })
    const port = await start(t, app)
    assert.equal((await request(port, { path: '/fail' })).status, 500)
    const failed = await collector.one()
    assert.equal(failed.status.code, SpanStatusCode.ERROR)
    assert.equal(failed.status.message, 'broken')
    assert.equal(failed.attributes['error.type'], 'RangeError')
    assert.equal(failed.attributes['http.response.status_code'], 500)
    assert.equal(failed.events.length, 1)
    assert.equal((await request(port, { path: '/refuse' })).status, 403)
    const refused = await collector.one()
    assert.equal(refused.status.code, SpanStatusCode.UNSET)
    assert.equal(refused.events.length, 0)
  })

  contract('inject(), which has no connection', async (t) => {
    const app = await application(t)
    t.after(() => app.close())
    app.get('/in/:x', async () => activeTraceId())
    const answer = await app.inject({ url: '/in/1', headers: { traceparent } })
    // Fastify's fake requests pass no channel: the plugin makes the span itself in both modes.
    assert.equal((await collector.one()).name, 'GET /in/:x')
    assert.equal(answer.body, traceId)
  })
}

const answer: RequestHandler = (_, response) => void response.send(activeTraceId())

function expressContract(provider: TestProvider): void {
  const { collector } = provider
  const contract = contractOf(provider, 'Express')

  contract('route templates, also of mounted routers; unbounded mounts are bounded', async (t) => {
    instrument(t)
    const app = express()
    const router = express.Router({ mergeParams: true })
    router.get('/item/:item', answer)
    router.get('/', answer)
    app.get('/plain/:id', answer)
    app.use('/api/v1', router)
    app.use('/shop/:shop', router)
    const port = await listen(t, http.createServer(app))
    for (const path of ['/plain/7', '/api/v1/item/8', '/api/v1/', '/shop/4711/item/9', '/nowhere']) {
      const { body } = await request(port, { path, headers: { traceparent } })
      if (path !== '/nowhere') assert.equal(body, traceId)
    }
    const spans = await collector.take(5)
    assert.deepEqual(
      spans.map((span) => span.name),
      ['GET /plain/:id', 'GET /api/v1/item/:item', 'GET /api/v1', 'GET /shop/:param/item/:item', 'GET'],
    )
  })

  contract('httpMiddleware in its chain, without instrumentHttp', async (t) => {
    const app = express()
    app.use(httpMiddleware())
    app.get('/fail/:id', throwing)
    app.use(
      ((_error, _request, response, _next) => void response.status(500).end()) as express.ErrorRequestHandler,
    )
    const port = await listen(t, http.createServer(app))
    assert.equal((await request(port, { path: '/fail/1' })).status, 500)
    const span = await collector.one()
    assert.equal(span.name, 'GET /fail/:id')
    assert.equal(span.status.code, SpanStatusCode.ERROR)
  })
}
