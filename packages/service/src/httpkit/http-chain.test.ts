import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, afterEach, before, describe, it, type TestContext } from 'node:test'
import { getRequestListener } from '@hono/node-server'
import { Router } from '@koa/router'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { fastifyTracing, type HttpHandler, honoTracing, koaTracing, setHttpRoute } from '@throughline/http'
import { withTraceIds } from '@throughline/logs'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import Koa from 'koa'
import { pino } from 'pino'
import { collectSpans, type TestSpans } from '../testing/spans.ts'
import { type HttpChainOptions, httpChain } from './http-chain.ts'
import { HttpError, sendJson } from './http-error.ts'
import { readJson } from './read-json.ts'
import { requestIdOf } from './request-id.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${traceId}-b7ad6b7169203331-01`

let spans: TestSpans
before(() => {
  spans = collectSpans()
})
after(() => spans.unregister())
afterEach(() => {
  spans.ended.length = 0
})

interface Scene {
  readonly url: string
  /** The lines of the log so far. */
  readonly lines: readonly Record<string, unknown>[]
  /** Resolves when this many requests are over. */
  readonly over: (requestCount: number) => Promise<void>
}

/** A server with the default chain around `handler`, a log with trace ids, and no logging of its own. */
async function serve(
  t: TestContext,
  handler: HttpHandler,
  options: Partial<HttpChainOptions> = {},
): Promise<Scene> {
  const lines: Record<string, unknown>[] = []
  const logger = pino(withTraceIds(), { write: (line: string) => void lines.push(JSON.parse(line)) })
  let overCount = 0
  const waiting = new Set<() => void>()
  const chain = httpChain({
    service: 'prompts',
    logger,
    onRequest: () => {
      overCount++
      for (const wake of waiting) wake()
    },
    ...options,
  })
  const server = createServer(chain(handler))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo // A server that listens on TCP has an address of this shape.
  return {
    url: `http://127.0.0.1:${port}`,
    lines,
    over: (requestCount) =>
      new Promise((resolve) => {
        const wake = (): void => {
          if (overCount >= requestCount) resolve()
        }
        waiting.add(wake)
        wake()
      }),
  }
}

function activeTraceId(): string {
  return trace.getActiveSpan()?.spanContext().traceId ?? 'none'
}

const applications: Record<string, () => Promise<HttpHandler>> = {
  'node:http': async () => async (request, response) => {
    await new Promise(setImmediate)
    if (request.url?.startsWith('/in/') !== true) {
      response.writeHead(404).end()
      return
    }
    setHttpRoute(request, '/in/:id')
    if (request.url === '/in/fail') throw new RangeError('broken')
    response.end(activeTraceId())
  },
  Express: async () => {
    const app = express()
    app.get('/in/:id', (request, response, next) => {
      if (request.params.id === 'fail') next(new RangeError('broken'))
      else response.send(activeTraceId())
    })
    app.use(((error, request, _response, _next) => {
      // Express answers errors itself unless it is told not to; the chain is to answer them.
      request.emit('failed', error)
    }) as express.ErrorRequestHandler)
    return (request, response) =>
      new Promise<void>((resolve, reject) => {
        request.once('failed', reject)
        response.once('close', resolve)
        app(request, response)
      })
  },
  Fastify: async () => {
    let handle: RequestListener | undefined
    const app = fastify({
      serverFactory: (handler) => {
        handle = handler
        return createServer(handler)
      },
    })
    await app.register(fastifyTracing)
    app.route({
      method: 'GET',
      url: '/in/:id',
      handler: async ({ url }) => {
        if (url.endsWith('/fail')) throw new RangeError('broken')
        return activeTraceId()
      },
    })
    await app.ready()
    assert.ok(handle !== undefined)
    return handle
  },
  Hono: async () => {
    const app = new Hono()
    app.use(honoTracing())
    app.get('/in/:id', (hono) => {
      if (hono.req.param('id') === 'fail') throw new RangeError('broken')
      return hono.text(activeTraceId())
    })
    app.onError((_error, hono) => hono.body(null, 500))
    const handle = getRequestListener(app.fetch)
    return (request, response) => void handle(request, response)
  },
  Koa: async () => {
    const app = new Koa()
    app.silent = true
    const router = new Router()
    router.get('/in/:id', (koa) => {
      if (koa.params['id'] === 'fail') throw new RangeError('broken')
      koa.body = activeTraceId()
    })
    app.use(koaTracing()).use(router.routes())
    const handle = app.callback()
    return (request, response) => void handle(request, response)
  },
}

describe('the same spans, lines and headers in every framework', () => {
  for (const [name, application] of Object.entries(applications))
    it(name, async (t) => {
      const { url, lines, over } = await serve(t, await application())
      const answer = await fetch(`${url}/in/7?secret=1`, { headers: { traceparent } })
      assert.equal(await answer.text(), traceId)
      assert.equal((await fetch(`${url}/in/fail`)).status, 500)
      assert.equal((await fetch(`${url}/nowhere`)).status, 404)
      await over(3)

      const [handled, failed, unrouted] = spans.ended.filter(({ kind }) => kind === SpanKind.SERVER)
      assert.equal(handled?.name, 'GET /in/:id')
      assert.equal(handled.parentSpanContext?.spanId, 'b7ad6b7169203331')
      assert.equal(handled.attributes['http.route'], '/in/:id')
      assert.equal(handled.attributes['http.response.status_code'], 200)
      assert.equal(handled.status.code, SpanStatusCode.UNSET)
      assert.equal(failed?.name, 'GET /in/:id')
      assert.equal(failed.attributes['http.response.status_code'], 500)
      assert.equal(failed.status.code, SpanStatusCode.ERROR)
      assert.equal(failed.events[0]?.name, 'exception')
      assert.equal(unrouted?.name, 'GET')
      assert.equal(unrouted.status.code, SpanStatusCode.UNSET)

      assert.equal(answer.headers.get('x-trace-id'), traceId)
      assert.equal(answer.headers.get('x-span-id'), handled.spanContext().spanId)
      const { request_id, method, path, route, status, trace_id, span_id } = lines[0] ?? {}
      assert.deepEqual(
        { request_id, method, path, route, status, trace_id, span_id },
        {
          request_id: answer.headers.get('x-request-id'),
          method: 'GET',
          path: '/in/7',
          route: '/in/:id',
          status: 200,
          trace_id: traceId,
          span_id: handled.spanContext().spanId,
        },
      )
      const complete = lines.filter(({ msg }) => msg === 'http request complete')
      assert.deepEqual(
        complete.map((line) => [line['route'], line['status']]),
        [
          ['/in/:id', 200],
          ['/in/:id', 500],
          ['other', 404],
        ],
      )
    })
})

describe('recovery', () => {
  it('a handler that throws is answered with 500, told with its stack, and its span has both', async (t) => {
    const { url, lines, over } = await serve(t, () => {
      throw new RangeError('broken')
    })
    const answer = await fetch(`${url}/a?b=secret`)
    assert.equal(answer.status, 500)
    assert.deepEqual(await answer.json(), { error: { code: 'internal_error', message: 'internal error' } })
    await over(1)
    const [line] = lines
    assert.equal(line?.['msg'], 'http panic recovered')
    assert.equal(line['panic'], 'broken')
    assert.equal(line['path'], '/a')
    assert.match(String(line['stack']), /http-chain\.test/)
    const span = spans.ended.find(({ kind }) => kind === SpanKind.SERVER)
    assert.equal(span?.attributes['error.type'], 'RangeError')
    assert.equal(span.attributes['http.response.status_code'], 500)
    assert.equal(line['span_id'], span.spanContext().spanId)
  })

  it('an HttpError is its own answer: 4xx no error of the span, 5xx one', async (t) => {
    const { url, lines, over } = await serve(t, async (request: IncomingMessage) => {
      throw request.url === '/away'
        ? new HttpError('unavailable', 'no one')
        : new HttpError('conflict', 'twice')
    })
    const conflict = await fetch(url)
    assert.equal(conflict.status, 409)
    assert.deepEqual(await conflict.json(), { error: { code: 'conflict', message: 'twice' } })
    assert.equal((await fetch(`${url}/away`)).status, 503)
    await over(2)
    const [refused, failed] = spans.ended.filter(({ kind }) => kind === SpanKind.SERVER)
    assert.equal(refused?.status.code, SpanStatusCode.UNSET)
    assert.equal(refused.events.length, 0)
    assert.equal(failed?.status.code, SpanStatusCode.ERROR)
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['http request complete', 'http panic recovered', 'http request complete'],
    )
  })

  it('an answer that had begun is broken off, not ended as if it were whole', async (t) => {
    const { url } = await serve(t, (_request, response) => {
      response.write('half')
      throw new Error('broken')
    })
    await assert.rejects(fetch(url).then((answer) => answer.text()))
  })
})

describe('request ids', () => {
  it('one that was sent is kept, anything strange is not; else it is a UUID of version 7', async (t) => {
    const { url } = await serve(t, (request, response) => {
      response.end(requestIdOf(request))
    })
    const idOf = async (sent?: string): Promise<string> => {
      const answer = await fetch(url, { headers: sent === undefined ? {} : { 'x-request-id': sent } })
      const id = await answer.text()
      assert.equal(answer.headers.get('x-request-id'), id)
      return id
    }
    assert.equal(await idOf('abc-1:2/3=4+5_6.7'), 'abc-1:2/3=4+5_6.7')
    assert.equal(await idOf('x'.repeat(128)), 'x'.repeat(128))
    const made = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/
    const beforeMs = Date.now()
    for (const strange of ['x'.repeat(129), 'a b', 'a"b', undefined]) {
      const id = await idOf(strange)
      assert.match(id, made)
      const madeMs = Number.parseInt(id.replace('-', '').slice(0, 12), 16)
      assert.ok(madeMs >= beforeMs && madeMs <= Date.now())
    }
  })
})

const echo = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  sendJson(response, 200, await readJson(request))
}

const post = (
  url: string,
  body: string | ReadableStream,
  headers: Record<string, string> = {},
): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body instanceof ReadableStream && { duplex: 'half' }),
  })

const answerAtOnce: RequestListener = (_request, response) => void response.end()

describe('the limit of a body', () => {
  const text = JSON.stringify('x'.repeat(98)) // 100 bytes

  it('the last size that is allowed passes, announced or in pieces', async (t) => {
    const { url } = await serve(t, echo, { bodyBytesMax: 100 })
    assert.equal((await post(url, text)).status, 200)
    assert.equal((await post(url, new Blob([text]).stream())).status, 200)
  })

  it('the first that is not is answered with 413, announced or in pieces', async (t) => {
    const { url, over } = await serve(t, echo, { bodyBytesMax: 99 })
    for (const body of [text, new Blob([text]).stream()]) {
      const answer = await post(url, body)
      assert.equal(answer.status, 413)
      assert.equal(answer.headers.get('connection'), 'close')
      assert.deepEqual(await answer.json(), {
        error: { code: 'payload_too_large', message: 'Request body must not exceed 99 bytes' },
      })
    }
    await over(2)
    const server = spans.ended.filter(({ kind }) => kind === SpanKind.SERVER)
    assert.deepEqual(
      server.map((span) => [span.attributes['http.response.status_code'], span.status.code]),
      [
        [413, SpanStatusCode.UNSET],
        [413, SpanStatusCode.UNSET],
      ],
    )
  })

  it('who reads a body that is cut gets an error', async (t) => {
    const failures: unknown[] = []
    const { url, over } = await serve(
      t,
      async (request) => {
        await readJson(request).catch((error: unknown) => failures.push(error))
      },
      { bodyBytesMax: 99 },
    )
    assert.equal((await post(url, new Blob([text]).stream())).status, 413)
    await over(1)
    await new Promise(setImmediate)
    assert.equal((failures[0] as HttpError).code, 'payload_too_large')
  })

  it('0 is no limit', async (t) => {
    const { url } = await serve(t, echo, { bodyBytesMax: 0 })
    assert.equal((await post(url, JSON.stringify('x'.repeat(2 ** 21)))).status, 200)
  })

  it('a body that is no JSON, more than one value, or not said to be JSON is refused by name', async (t) => {
    const { url } = await serve(t, echo)
    for (const [body, type, code, message] of [
      ['{"a":', 'application/json', 'invalid_json', 'Request body must be valid JSON'],
      ['', 'application/json', 'invalid_json', 'Request body must be valid JSON'],
      ['{} {}', 'application/json', 'invalid_json', 'Request body must contain a single JSON value'],
      ['{}', 'text/plain', 'unsupported_media_type', 'Content-Type must be application/json'],
    ] as const) {
      const answer = await post(url, body, { 'content-type': type })
      assert.deepEqual(await answer.json(), { error: { code, message } })
    }
    assert.equal(
      (await post(url, '1', { 'content-type': 'application/vnd.x+json; charset=utf-8' })).status,
      200,
    )
  })
})

describe('health', () => {
  it('has no span and no line; look-alike paths do', async (t) => {
    const { url, lines, over } = await serve(t, answerAtOnce)
    assert.deepEqual(await (await fetch(`${url}/healthz?x=1`)).json(), { status: 'ok', service: 'prompts' })
    assert.equal((await fetch(`${url}/readyz`)).status, 200)
    assert.equal(spans.ended.filter(({ kind }) => kind === SpanKind.SERVER).length, 0)
    assert.equal(lines.length, 0)
    await fetch(`${url}/healthzz`)
    await over(1)
    assert.equal(lines.length, 1)
    assert.equal(spans.ended.filter(({ kind }) => kind === SpanKind.SERVER).length, 1)
  })

  it('is ready when all checks pass, and says which does not; the answer is kept for a while', async (t) => {
    let runs = 0
    let isUp = false
    const { url } = await serve(t, answerAtOnce, {
      checks: {
        nats: async () => {},
        store: async () => {
          runs++
          if (!isUp) throw new Error('gone')
        },
      },
    })
    const answer = await fetch(`${url}/readyz`)
    assert.equal(answer.status, 503)
    const found = (await answer.json()) as {
      healthy: boolean
      checks: { name: string; healthy: boolean; error?: string }[]
    }
    assert.equal(found.healthy, false)
    assert.deepEqual(
      found.checks.map(({ name, healthy, error }) => ({ name, healthy, error })),
      [
        { name: 'nats', healthy: true, error: undefined },
        { name: 'store', healthy: false, error: 'gone' },
      ],
    )
    isUp = true
    assert.equal((await fetch(`${url}/readyz`)).status, 503)
    assert.equal(runs, 1)
  })
})

describe('browser security', () => {
  it('an unsafe request of another site is refused, a safe one is not', async (t) => {
    const { url } = await serve(t, (_request, response) => void response.end())
    // fetch forbids this header, as it should.
    const statusOf = async (method: string): Promise<number | undefined> => {
      const sent = httpRequest(url, { method, headers: { 'sec-fetch-site': 'cross-site' } }).end()
      const [answer] = (await once(sent, 'response')) as [IncomingMessage]
      assert.equal(answer.headers['x-content-type-options'], 'nosniff')
      answer.resume()
      return answer.statusCode
    }
    assert.equal(await statusOf('GET'), 200)
    assert.equal(await statusOf('POST'), 403)
  })
})

describe('opting out', () => {
  it('of tracing: no span, the rest stays', async (t) => {
    const { url, lines, over } = await serve(t, (_request, response) => void response.end(), {
      tracing: false,
    })
    const answer = await fetch(url)
    await over(1)
    assert.equal(spans.ended.filter(({ kind }) => kind === SpanKind.SERVER).length, 0)
    assert.equal(answer.headers.get('x-trace-id'), null)
    assert.equal(lines[0]?.['msg'], 'http request complete')
  })
})
