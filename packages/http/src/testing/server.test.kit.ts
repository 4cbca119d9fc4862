import assert from 'node:assert/strict'
import http from 'node:http'
import type { TestContext } from 'node:test'
import { context, propagation, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { type HttpInstrumentation, type HttpOptions, instrumentHttp, setHttpRoute } from '../index.ts'
import { contractOf } from './contract.test.kit.ts'
import { connect, listen, readUntil, request, serve, throwing } from './net.test.kit.ts'
import { registerPropagator, type TestProvider } from './provider.test.kit.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const callerId = 'b7ad6b7169203331'
const traceparent = `00-${traceId}-${callerId}-01`

function instrument(t: TestContext, options: HttpOptions = {}): HttpInstrumentation {
  const instrumentation = instrumentHttp({ client: false, ...options })
  t.after(() => instrumentation.disable())
  return instrumentation
}

function activeTraceId(): string | undefined {
  return trace.getSpanContext(context.active())?.traceId
}

/** Server spans over any provider: what every user may rely on. */
export function serverContract(provider: TestProvider): void {
  const { collector, sampler } = provider
  const contract = contractOf(provider)

  contract('a request becomes a server span with the stable attributes', async (t) => {
    instrument(t)
    const port = await serve(t, (_, response) => response.writeHead(201).end('made'))
    await request(port, {
      method: 'POST',
      path: '/a/b?q=1&token=abc',
      headers: { 'user-agent': 'test/1', host: 'shop.example:81' },
    })
    const span = await collector.one()
    assert.equal(span.name, 'POST')
    assert.equal(span.kind, SpanKind.SERVER)
    assert.equal(span.status.code, SpanStatusCode.UNSET)
    assert.equal(span.parentSpanContext, undefined)
    const { 'network.peer.port': peerPort, ...rest } = span.attributes
    assert.equal(typeof peerPort, 'number')
    assert.deepEqual(rest, {
      'http.request.method': 'POST',
      'url.path': '/a/b',
      'url.query': 'q=1&token=REDACTED',
      'url.scheme': 'http',
      'server.address': 'shop.example',
      'server.port': 81,
      'network.peer.address': '127.0.0.1',
      'network.protocol.version': '1.1',
      'client.address': '127.0.0.1',
      'user_agent.original': 'test/1',
      'http.response.status_code': 201,
    })
  })

  contract('an incoming traceparent, tracestate and baggage are continued', async (t) => {
    instrument(t)
    let baggage: string | undefined
    const port = await serve(t, (_, response) => {
      baggage = propagation.getActiveBaggage()?.getEntry('shop')?.value
      response.end()
    })
    await request(port, { headers: { Traceparent: traceparent, TRACESTATE: 'a=1', baggage: 'shop=7' } })
    const span = await collector.one()
    assert.equal(span.spanContext().traceId, traceId)
    assert.equal(span.parentSpanContext?.spanId, callerId)
    assert.equal(span.spanContext().traceState?.serialize(), 'a=1')
    assert.equal(baggage, '7')
  })

  contract(
    'the context holds in the handler, in body events of later packets, and after awaits',
    async (t) => {
      instrument(t)
      const seen: Record<string, string | undefined> = {}
      const port = await serve(t, (incoming, response) => {
        seen['handler'] = activeTraceId()
        incoming.once('data', () => {
          seen['first data'] = activeTraceId()
          response.writeContinue()
        })
        incoming.on('end', () => {
          seen['end'] = activeTraceId()
          setImmediate(() => {
            seen['immediate'] = activeTraceId()
            response.end('done')
          })
        })
        response.on('finish', () => {
          seen['finish'] = activeTraceId()
        })
      })
      const socket = await connect(t, port)
      socket.write(`POST / HTTP/1.1\r\nHost: x\r\ntraceparent: ${traceparent}\r\nContent-Length: 4\r\n\r\nab`)
      await readUntil(socket, '100 Continue')
      socket.write('cd')
      await readUntil(socket, 'done')
      await collector.one()
      const all = ['handler', 'first data', 'end', 'immediate', 'finish']
      assert.deepEqual(seen, Object.fromEntries(all.map((key) => [key, traceId])))
    },
  )

  contract(
    'keep-alive and pipelining: each request has its own context, and none inherits another',
    async (t) => {
      instrument(t, { excludedPaths: ['/none'] })
      const seen: string[] = []
      const port = await serve(t, (incoming, response) => {
        const at = incoming.url ?? ''
        seen.push(`${at} ${activeTraceId() ?? 'nothing'}`)
        // The first answers last: the second response waits in Node's queue.
        if (at === '/first') setTimeout(() => response.end(at), 5)
        else response.end(at)
      })
      const socket = await connect(t, port)
      const other = traceId.replace('0af7', 'ffff')
      socket.write(
        `GET /first HTTP/1.1\r\nHost: x\r\ntraceparent: ${traceparent}\r\n\r\n` +
          `GET /second HTTP/1.1\r\nHost: x\r\ntraceparent: 00-${other}-${callerId}-01\r\n\r\nGET /none HTTP/1.1\r\nHost: x\r\n\r\n`,
      )
      await readUntil(socket, '/none')
      socket.write('GET /none/later HTTP/1.1\r\nHost: x\r\n\r\n')
      await readUntil(socket, '/none/later')
      const spans = await collector.take(2)
      assert.deepEqual(seen, [
        `/first ${traceId}`,
        `/second ${other}`,
        '/none nothing',
        '/none/later nothing',
      ])
      assert.deepEqual(
        spans.map((span) => [span.attributes['url.path'], span.spanContext().traceId]),
        [
          ['/first', traceId],
          ['/second', other],
        ],
      )
    },
  )

  contract('setHttpRoute names the span, also in a later turn', async (t) => {
    instrument(t)
    const port = await serve(t, (incoming, response) => {
      setImmediate(() => {
        setHttpRoute(incoming, '/user/:id')
        response.end()
      })
    })
    await request(port, { path: '/user/7' })
    const span = await collector.one()
    assert.equal(span.name, 'GET /user/:id')
    assert.equal(span.attributes['http.route'], '/user/:id')
  })

  contract('an unknown method is bounded in name and attribute', async (t) => {
    instrument(t)
    const port = await serve(t, (_, response) => response.end())
    await request(port, { method: 'PROPFIND' })
    const span = await collector.one()
    assert.equal(span.name, 'HTTP')
    assert.equal(span.attributes['http.request.method'], '_OTHER')
    assert.equal(span.attributes['http.request.method_original'], 'PROPFIND')
  })

  contract('500 is an error and 499 is not; errorStatusFrom moves the line', async (t) => {
    const first = instrument(t)
    const port = await serve(t, (incoming, response) =>
      response.writeHead(Number(incoming.url?.slice(1))).end(),
    )
    await request(port, { path: '/499' })
    assert.equal((await collector.one()).status.code, SpanStatusCode.UNSET)
    await request(port, { path: '/500' })
    const failed = await collector.one()
    assert.equal(failed.status.code, SpanStatusCode.ERROR)
    assert.equal(failed.attributes['error.type'], '500')
    first.disable()
    instrument(t, { errorStatusFrom: 400 })
    await request(port, { path: '/399' })
    assert.equal((await collector.one()).status.code, SpanStatusCode.UNSET)
    await request(port, { path: '/400' })
    assert.equal((await collector.one()).status.code, SpanStatusCode.ERROR)
  })

  contract(
    'a client that goes away ends the span with an error, and close listeners keep the context',
    async (t) => {
      instrument(t)
      let closedIn: string | undefined
      const port = await serve(t, (incoming, response) => {
        response.on('close', () => {
          closedIn = activeTraceId()
        })
        response.write('begin')
        incoming.resume()
      })
      const socket = await connect(t, port)
      socket.write(`GET /slow HTTP/1.1\r\nHost: x\r\ntraceparent: ${traceparent}\r\n\r\n`)
      await readUntil(socket, 'begin')
      socket.destroy()
      const span = await collector.one()
      assert.equal(span.status.code, SpanStatusCode.ERROR)
      assert.equal(span.attributes['error.type'], 'aborted')
      assert.equal(span.attributes['http.response.status_code'], 200)
      await new Promise(setImmediate)
      assert.equal(closedIn, traceId)
    },
  )

  contract(
    'restart-with-link starts a new trace that links to the caller and drops its baggage',
    async (t) => {
      instrument(t, { trust: 'restart-with-link' })
      let baggage: unknown = 'not read'
      const port = await serve(t, (_, response) => {
        baggage = propagation.getActiveBaggage()
        response.end()
      })
      await request(port, { headers: { traceparent, baggage: 'a=1' } })
      const span = await collector.one()
      assert.notEqual(span.spanContext().traceId, traceId)
      assert.equal(span.parentSpanContext, undefined)
      assert.deepEqual(
        span.links.map((link) => [link.context.traceId, link.context.spanId]),
        [[traceId, callerId]],
      )
      assert.equal(baggage, undefined)
    },
  )

  contract('trust may be decided per listener', async (t) => {
    const inside = http.createServer((_, response) => response.end())
    const port = await listen(t, inside)
    const publicPort = await serve(t, (_, response) => response.end())
    instrument(t, {
      trust: (incoming) => (incoming.socket.localPort === port ? 'continue' : 'restart-with-link'),
    })
    await request(port, { headers: { traceparent } })
    assert.equal((await collector.one()).spanContext().traceId, traceId)
    await request(publicPort, { headers: { traceparent } })
    assert.notEqual((await collector.one()).spanContext().traceId, traceId)
  })

  contract('excluded paths count by whole segments; ignoreRequest decides by itself', async (t) => {
    instrument(t, {
      excludedPaths: ['/healthz', '/static/'],
      ignoreRequest: (incoming) => incoming.method === 'OPTIONS',
    })
    const port = await serve(t, (_, response) => response.end())
    for (const path of ['/healthz', '/healthz/live', '/healthz?full=1', '/static', '/static/a.js'])
      await request(port, { path })
    await request(port, { method: 'OPTIONS' })
    for (const path of ['/healthzfoo', '/statics', '/a/healthz']) await request(port, { path })
    const spans = await collector.take(3)
    assert.deepEqual(
      spans.map((span) => span.attributes['url.path']),
      ['/healthzfoo', '/statics', '/a/healthz'],
    )
  })

  contract(
    'response headers carry the ids of the span, sampled or not, and are absent by default',
    async (t) => {
      const plain = instrument(t)
      const port = await serve(t, (_, response) => response.end())
      assert.equal((await request(port)).headers['x-trace-id'], undefined)
      await collector.one()
      plain.disable()
      instrument(t, { responseHeaders: true })
      const answer = await request(port)
      const span = await collector.one()
      assert.equal(answer.headers['x-trace-id'], span.spanContext().traceId)
      assert.equal(answer.headers['x-span-id'], span.spanContext().spanId)
      sampler.decide = () => false
      t.after(() => {
        sampler.decide = () => true
      })
      const unsampled = await request(port, { headers: { traceparent } })
      assert.equal(unsampled.headers['x-trace-id'], traceId)
    },
  )

  contract('dup writes both generations of names, old the old ones alone', async (t) => {
    const both = instrument(t, { semconv: 'dup' })
    const port = await serve(t, (_, response) => response.end())
    await request(port, { path: '/p?a=1' })
    const dup = (await collector.one()).attributes
    assert.equal(dup['http.request.method'], 'GET')
    assert.equal(dup['http.method'], 'GET')
    assert.equal(dup['http.response.status_code'], 200)
    assert.equal(dup['http.status_code'], 200)
    both.disable()
    instrument(t, { semconv: 'old' })
    await request(port, { path: '/p?a=1' })
    const old = (await collector.one()).attributes
    assert.equal(old['http.url'], `http://127.0.0.1:${port}/p?a=1`)
    assert.equal(old['http.target'], '/p?a=1')
    assert.equal(old['http.status_code'], 200)
    const stable = Object.keys(old).filter((key) => /^(http\.re|url\.|server\.|client\.|network\.)/.test(key))
    assert.deepEqual(stable, [])
  })

  contract('what hooks, sampler and trust throw is counted, and the request is answered', async (t) => {
    const instrumentation = instrument(t, { requestHook: throwing, ignoreRequest: throwing, trust: throwing })
    const port = await serve(t, (_, response) => response.end('fine'))
    assert.equal((await request(port, { headers: { traceparent } })).body, 'fine')
    assert.notEqual((await collector.one()).spanContext().traceId, traceId)
    assert.equal(instrumentation.failureCount, 3)
  })

  contract('a propagator that throws is counted, and the request has a new trace', async (t) => {
    const instrumentation = instrument(t)
    propagation.disable()
    propagation.setGlobalPropagator({ inject: throwing, extract: throwing, fields: () => [] })
    t.after(() => {
      propagation.disable()
      registerPropagator()
    })
    const port = await serve(t, (_, response) => response.end('fine'))
    assert.equal((await request(port, { headers: { traceparent } })).body, 'fine')
    assert.notEqual((await collector.one()).spanContext().traceId, traceId)
    assert.equal(instrumentation.failureCount, 1)
  })

  contract('a sampler that throws costs the span, not the request', async (t) => {
    instrument(t)
    const port = await serve(t, (_, response) => response.end('fine'))
    sampler.decide = throwing
    t.after(() => {
      sampler.decide = () => true
    })
    assert.equal((await request(port)).body, 'fine')
  })

  contract('a handler that throws: exception, ERROR, and the error goes on', async (t) => {
    instrument(t)
    const server = http.createServer(() => {
      throw new TypeError('bad handler')
    })
    // Stands for an uncaughtException listener: whatever emit throws is caught one level up.
    const emit = server.emit.bind(server)
    let thrown: unknown
    server.emit = (event: string, ...args: unknown[]): boolean => {
      try {
        return emit(event as 'request', ...(args as [http.IncomingMessage, http.ServerResponse]))
      } catch (error) {
        thrown = error
        ;(args[1] as http.ServerResponse).writeHead(500).end()
        return true
      }
    }
    const port = await listen(t, server)
    await request(port)
    const span = await collector.one()
    assert.ok(thrown instanceof TypeError)
    assert.equal(span.status.code, SpanStatusCode.ERROR)
    assert.equal(span.attributes['error.type'], 'TypeError')
    assert.equal(span.events[0]?.name, 'exception')
  })

  contract('not sampled: no span, but the context flows on', async (t) => {
    instrument(t)
    sampler.decide = () => false
    t.after(() => {
      sampler.decide = () => true
    })
    let active: string | undefined
    const port = await serve(t, (_, response) => {
      active = activeTraceId()
      response.end()
    })
    await request(port, { headers: { traceparent } })
    assert.equal(active, traceId)
  })

  contract('a span that is open when tracing is disabled ends as usual', async (t) => {
    const instrumentation = instrument(t)
    const port = await serve(t, (_, response) => {
      instrumentation.disable()
      response.writeHead(202).end()
    })
    await request(port)
    assert.equal((await collector.one()).attributes['http.response.status_code'], 202)
  })

  contract('after disable there are no spans and the prototype is as it was', async (t) => {
    const instrumentation = instrumentHttp({ client: false })
    instrumentation.disable()
    const port = await serve(t, (_, response) => response.end())
    await request(port)
    assert.equal(Object.hasOwn(http.Server.prototype, 'emit'), false)
  })
}
