import assert from 'node:assert/strict'
import http from 'node:http'
import { getRequestListener } from '@hono/node-server'
import { Router } from '@koa/router'
import { SpanStatusCode } from '@opentelemetry/api'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import Koa from 'koa'
import { honoTracing, instrumentHttp, koaTracing } from '../index.ts'
import { contractOf } from './contract.test.kit.ts'
import { activeTraceId, listen, request } from './net.test.kit.ts'
import type { TestProvider } from './provider.test.kit.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${traceId}-b7ad6b7169203331-01`

/** An application with `/in/:id` (answers the active trace id), `/fail/:id` (throws) and `/refuse` (a 403 that is thrown). */
type Application = () => http.RequestListener

function koaApplication(): http.RequestListener {
  const app = new Koa()
  app.silent = true
  const router = new Router()
  router.get('/in/:id', async (koa) => {
    await new Promise(setImmediate)
    koa.body = activeTraceId()
  })
  router.get('/fail/:id', () => {
    throw new RangeError('broken')
  })
  router.get('/refuse', (koa) => koa.throw(403))
  app.use(koaTracing())
  app.use(router.routes())
  const handle = app.callback()
  return (incoming, response) => void handle(incoming, response)
}

function honoApplication(): http.RequestListener {
  const app = new Hono()
  app.use(honoTracing())
  app.use('/in/*', async (_hono, next) => next())
  app.get('/in/:id', async (hono) => {
    await new Promise(setImmediate)
    return hono.text(activeTraceId())
  })
  app.get('/fail/:id', () => {
    throw new RangeError('broken')
  })
  app.get('/refuse', () => {
    throw new HTTPException(403)
  })
  app.onError((error, hono) => hono.body(null, error instanceof HTTPException ? error.status : 500))
  const handle = getRequestListener(app.fetch)
  return (incoming, response) => void handle(incoming, response)
}

/** Koa and Hono over any provider, alone and beside instrumentHttp: the spans are the same. */
export function koaAndHonoContract(provider: TestProvider): void {
  for (const mode of ['alone', 'with instrumentHttp'] as const) {
    applicationContract(provider, `Koa ${mode}`, koaApplication)
    applicationContract(provider, `Hono ${mode}`, honoApplication)
  }
}

function applicationContract(provider: TestProvider, name: string, application: Application): void {
  const { collector } = provider
  const contract = contractOf(provider, name)
  contract('spans are named by the route, continue the trace, and know what was thrown', async (t) => {
    if (name.endsWith('instrumentHttp')) {
      const instrumentation = instrumentHttp({ client: false })
      t.after(() => instrumentation.disable())
    }
    const port = await listen(t, http.createServer(application()))

    const { body } = await request(port, { path: '/in/7', headers: { traceparent } })
    assert.equal(body, traceId)
    const handled = await collector.one()
    assert.equal(handled.name, 'GET /in/:id')
    assert.equal(handled.attributes['http.route'], '/in/:id')
    assert.equal(handled.parentSpanContext?.spanId, 'b7ad6b7169203331')
    assert.equal(handled.status.code, SpanStatusCode.UNSET)

    assert.equal((await request(port, { path: '/fail/1' })).status, 500)
    const failed = await collector.one()
    assert.equal(failed.name, 'GET /fail/:id')
    assert.equal(failed.attributes['http.response.status_code'], 500)
    assert.equal(failed.attributes['error.type'], 'RangeError')
    assert.deepEqual(failed.status, { code: SpanStatusCode.ERROR, message: 'broken' })
    assert.equal(failed.events.length, 1)

    assert.equal((await request(port, { path: '/refuse' })).status, 403)
    const refused = await collector.one()
    assert.equal(refused.name, 'GET /refuse')
    assert.equal(refused.status.code, SpanStatusCode.UNSET)
    assert.equal(refused.events.length, 0)

    assert.equal((await request(port, { path: '/nowhere' })).status, 404)
    assert.equal((await collector.one()).name, 'GET')
  })
}
