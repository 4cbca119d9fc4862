import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import type { TestContext } from 'node:test'
import { context, createContextKey, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { type HttpInstrumentation, type HttpOptions, instrumentHttp } from '../index.ts'
import { contractOf } from './contract.test.kit.ts'
import { portOf, request, serve, throwing } from './net.test.kit.ts'
import type { EndedSpan, TestProvider } from './provider.test.kit.ts'

function instrument(t: TestContext, options: HttpOptions = {}): HttpInstrumentation {
  const instrumentation = instrumentHttp({ server: false, ...options })
  t.after(() => instrumentation.disable())
  return instrumentation
}

/** Answers with the request's own headers. `/404` answers with that status. */
async function echo(t: TestContext): Promise<number> {
  return serve(t, (incoming, response) => {
    const status = Number(incoming.url?.slice(1, 4))
    response.writeHead(Number.isInteger(status) && status >= 200 ? status : 200)
    response.end(JSON.stringify({ names: incoming.rawHeaders, ...incoming.headers }))
  })
}

interface Echo {
  readonly names: readonly string[]
  readonly [header: string]: unknown
}

function assertPropagated(span: EndedSpan, body: string): void {
  const headers = JSON.parse(body) as Echo
  const { traceId, spanId, traceFlags } = span.spanContext()
  assert.equal(headers['traceparent'], `00-${traceId}-${spanId}-0${traceFlags}`)
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = net.createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  return port
}

/** Accepts one request, answers the head of a response and half of its body, then resets the connection. */
async function brokenServer(t: TestContext): Promise<number> {
  return serve(t, (_, response) => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('half', () => response.socket?.destroy())
  })
}

interface Transport {
  readonly name: string
  /** Sends a request and reads the body to its end. */
  send(
    url: string,
    options?: { readonly method?: string; readonly body?: string; readonly headers?: Record<string, string> },
  ): Promise<string>
}

const nodeHttp: Transport = {
  name: 'node:http',
  send: async (url, { method = 'GET', body, headers = {} } = {}) => {
    const sent = http.request(url, { method, headers, agent: false })
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage]
    let text = ''
    for await (const chunk of response) text += String(chunk)
    return text
  },
}

const globalFetch: Transport = {
  name: 'fetch',
  send: async (url, { method = 'GET', body, headers = {} } = {}) => {
    const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) })
    return response.text()
  },
}

/** Client spans over any provider. */
export function clientContract(provider: TestProvider): void {
  for (const transport of [nodeHttp, globalFetch]) transportContract(provider, transport)
  nodeContract(provider)
  fetchContract(provider)
}

function transportContract(provider: TestProvider, transport: Transport): void {
  const { collector } = provider
  const contract = contractOf(provider, transport.name)

  contract('a request becomes a client span under the active one, and carries its context', async (t) => {
    instrument(t)
    const port = await echo(t)
    const parent = trace.getTracer('test').startSpan('parent')
    const body = await context.with(trace.setSpan(context.active(), parent), () =>
      transport.send(`http://127.0.0.1:${port}/a?sig=abc&b=1`, { method: 'POST', body: 'hello' }),
    )
    const span = await collector.one()
    parent.end()
    await collector.one()
    assert.equal(span.name, 'POST')
    assert.equal(span.kind, SpanKind.CLIENT)
    assert.equal(span.parentSpanContext?.spanId, parent.spanContext().spanId)
    assert.equal(span.status.code, SpanStatusCode.UNSET)
    const { attributes } = span
    assert.equal(attributes['http.request.method'], 'POST')
    assert.equal(attributes['url.full'], `http://127.0.0.1:${port}/a?sig=REDACTED&b=1`)
    assert.equal(attributes['server.address'], '127.0.0.1')
    assert.equal(attributes['server.port'], port)
    assert.equal(attributes['http.response.status_code'], 200)
    assertPropagated(span, body)
  })

  contract('400 is an error, 399 is not', async (t) => {
    instrument(t)
    const port = await echo(t)
    await transport.send(`http://127.0.0.1:${port}/399`)
    assert.equal((await collector.one()).status.code, SpanStatusCode.UNSET)
    await transport.send(`http://127.0.0.1:${port}/400`)
    const span = await collector.one()
    assert.equal(span.status.code, SpanStatusCode.ERROR)
    assert.equal(span.attributes['error.type'], '400')
  })

  contract('a refused connection: ERROR, error.type and exception', async (t) => {
    instrument(t)
    const port = await closedPort()
    await assert.rejects(transport.send(`http://127.0.0.1:${port}/`))
    const span = await collector.one()
    assert.equal(span.status.code, SpanStatusCode.ERROR)
    assert.equal(span.attributes['error.type'], 'ECONNREFUSED')
    assert.equal(span.events[0]?.name, 'exception')
  })

  contract('a body that breaks off: ERROR', async (t) => {
    instrument(t)
    const port = await brokenServer(t)
    await assert.rejects(transport.send(`http://127.0.0.1:${port}/`))
    const span = await collector.one()
    assert.equal(span.attributes['http.response.status_code'], 200)
    assert.equal(span.status.code, SpanStatusCode.ERROR)
  })

  contract('a traceparent that the caller set is replaced, not repeated', async (t) => {
    instrument(t)
    const port = await echo(t)
    const old = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const body = await transport.send(`http://127.0.0.1:${port}/`, { headers: { traceparent: old } })
    assertPropagated(await collector.one(), body)
  })

  contract('hosts outside the trust policy get a span and no headers', async (t) => {
    instrument(t, { propagateTo: ['*.example.com', 'Localhost'] })
    const port = await echo(t)
    const outside = JSON.parse(await transport.send(`http://127.0.0.1:${port}/`)) as Echo
    assert.equal(outside['traceparent'], undefined)
    await collector.one()
    const inside = await transport.send(`http://localhost:${port}/`)
    assertPropagated(await collector.one(), inside)
  })

  contract('ignoreOutgoing and suppressed tracing leave the request alone', async (t) => {
    instrument(t, { ignoreOutgoing: (target) => target.url.endsWith('/ignored') })
    const port = await echo(t)
    const ignored = JSON.parse(await transport.send(`http://127.0.0.1:${port}/ignored`)) as Echo
    const key = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')
    const suppressed = await context.with(context.active().setValue(key, true), () =>
      transport.send(`http://127.0.0.1:${port}/suppressed`),
    )
    assert.equal(ignored['traceparent'], undefined)
    assert.equal((JSON.parse(suppressed) as Echo)['traceparent'], undefined)
  })

  contract('what hooks throw is counted, and the request is made', async (t) => {
    const instrumentation = instrument(t, { ignoreOutgoing: throwing, propagateTo: throwing })
    const port = await echo(t)
    const headers = JSON.parse(await transport.send(`http://127.0.0.1:${port}/`)) as Echo
    await collector.one()
    assert.equal(headers['traceparent'], undefined)
    assert.equal(instrumentation.failureCount, 2)
  })

  contract('dup and old names', async (t) => {
    const both = instrument(t, { semconv: 'dup' })
    const port = await echo(t)
    await transport.send(`http://127.0.0.1:${port}/x`)
    const dup = (await collector.one()).attributes
    assert.equal(dup['http.request.method'], dup['http.method'])
    assert.equal(dup['url.full'], dup['http.url'])
    assert.equal(dup['http.response.status_code'], dup['http.status_code'])
    both.disable()
    instrument(t, { semconv: 'old' })
    await transport.send(`http://127.0.0.1:${port}/x`)
    const old = (await collector.one()).attributes
    assert.equal(old['http.url'], `http://127.0.0.1:${port}/x`)
    assert.equal(old['url.full'], undefined)
    assert.equal(old['http.response.status_code'], undefined)
  })

  contract('not sampled: no span, but the context is passed on', async (t) => {
    const { sampler } = provider
    instrument(t)
    const port = await echo(t)
    sampler.decide = () => false
    t.after(() => {
      sampler.decide = () => true
    })
    const headers = JSON.parse(await transport.send(`http://127.0.0.1:${port}/`)) as Echo
    assert.match(String(headers['traceparent']), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[02]$/)
  })
}

function nodeContract(provider: TestProvider): void {
  const { collector } = provider
  const contract = contractOf(provider, 'node:http')

  contract('the span ends when the body was read, with protocol and peer', async (t) => {
    instrument(t)
    const port = await echo(t)
    const sent = http.get({ port, host: '127.0.0.1', agent: false })
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage]
    await new Promise(setImmediate)
    assert.equal(collector.untaken.length, 0)
    response.resume()
    const span = await collector.one()
    assert.equal(span.attributes['network.protocol.version'], '1.1')
    assert.equal(span.attributes['network.peer.address'], '127.0.0.1')
    assert.equal(span.attributes['network.peer.port'], port)
  })

  contract('keep-alive connections: every request has its span', async (t) => {
    instrument(t)
    const port = await echo(t)
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    t.after(() => agent.destroy())
    const answers = await Promise.all([
      request(port, { agent, path: '/1' }),
      request(port, { agent, path: '/2' }),
    ])
    const spans = await collector.take(2)
    for (const [index, answer] of answers.entries()) {
      const span = spans.find((one) => String(one.attributes['url.full']).endsWith(`/${index + 1}`))
      assert.ok(span)
      assertPropagated(span, answer.body)
    }
  })

  contract(
    'a response nobody reads is still drained, and a missing error listener still throws',
    async (t) => {
      instrument(t)
      const port = await echo(t)
      http.get({ port, host: '127.0.0.1', agent: false })
      assert.equal((await collector.one()).attributes['http.response.status_code'], 200)
      const failing = http.get({ port: await closedPort(), host: '127.0.0.1', agent: false })
      assert.equal(failing.listenerCount('error'), 0)
      await once(failing, 'error').then(
        () => undefined,
        () => undefined,
      )
      assert.equal((await collector.one()).attributes['error.type'], 'ECONNREFUSED')
    },
  )

  contract('raw header lists and Expect: 100-continue carry the context too', async (t) => {
    instrument(t)
    const port = await echo(t)
    const list = await request(port, {
      headers: ['Host', `127.0.0.1:${port}`, 'X-A', '1'] as unknown as http.OutgoingHttpHeaders,
    })
    assertPropagated(await collector.one(), list.body)
    const expecting = await request(port, { method: 'PUT', body: 'x', headers: { expect: '100-continue' } })
    assertPropagated(await collector.one(), expecting.body)
  })

  contract('destroyed by its caller: before the answer an error, after it the end', async (t) => {
    instrument(t)
    const arrivals = new EventEmitter()
    const port = await serve(t, (incoming, response) => {
      arrivals.emit('request')
      if (incoming.url === '/body') response.write('begin')
    })
    const arrived = once(arrivals, 'request')
    const early = http.get({ port, host: '127.0.0.1', agent: false })
    early.on('error', () => {})
    await arrived
    early.destroy()
    const failed = await collector.one()
    assert.equal(failed.status.code, SpanStatusCode.ERROR)
    assert.equal(failed.attributes['error.type'], 'ECONNRESET')
    const late = http.get({ port, host: '127.0.0.1', path: '/body', agent: false })
    const [response] = (await once(late, 'response')) as [http.IncomingMessage]
    response.destroy()
    assert.equal((await collector.one()).status.code, SpanStatusCode.UNSET)
  })

  contract('a switched protocol ends the span with 101', async (t) => {
    instrument(t)
    const server = http.createServer()
    server.on('upgrade', (_, socket) =>
      socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    )
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const sent = http.get({
      port: portOf(server),
      host: '127.0.0.1',
      agent: false,
      headers: { upgrade: 'x', connection: 'upgrade' },
    })
    const [, socket] = (await once(sent, 'upgrade')) as [http.IncomingMessage, net.Socket]
    socket.destroy()
    const span = await collector.one()
    assert.equal(span.attributes['http.response.status_code'], 101)
    assert.equal(span.status.code, SpanStatusCode.UNSET)
  })

  contract('user name and password stay out of the span', async (t) => {
    instrument(t)
    const port = await echo(t)
    await nodeHttp.send(`http://user:secret@127.0.0.1:${port}/`)
    assert.equal((await collector.one()).attributes['url.full'], `http://127.0.0.1:${port}/`)
  })
}

function fetchContract(provider: TestProvider): void {
  const { collector } = provider
  const contract = contractOf(provider, 'fetch')

  contract('the span ends when the body was read, or cancelled without an error', async (t) => {
    instrument(t)
    const port = await serve(t, (_, response) => {
      response.write('begin')
    })
    const response = await fetch(`http://127.0.0.1:${port}/`)
    assert.equal(collector.untaken.length, 0)
    await response.body?.cancel()
    const span = await collector.one()
    assert.equal(span.status.code, SpanStatusCode.UNSET)
    assert.equal(span.attributes['http.response.status_code'], 200)
  })

  contract('an aborted fetch is an error', async (t) => {
    instrument(t)
    const aborter = new AbortController()
    const port = await serve(t, () => aborter.abort())
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`, { signal: aborter.signal }))
    const span = await collector.one()
    assert.equal(span.status.code, SpanStatusCode.ERROR)
    assert.equal(span.attributes['error.type'], 'AbortError')
  })

  contract('each hop of a redirect is a request of its own', async (t) => {
    instrument(t)
    const port = await serve(t, (incoming, response) => {
      if (incoming.url === '/') response.writeHead(302, { location: '/next' }).end()
      else response.end('there')
    })
    assert.equal(await globalFetch.send(`http://127.0.0.1:${port}/`), 'there')
    const spans = await collector.take(2)
    assert.deepEqual(
      spans.map((span) => span.attributes['http.response.status_code']),
      [302, 200],
    )
  })
}
