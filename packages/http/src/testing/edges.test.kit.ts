import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { context, propagation, SpanStatusCode } from '@opentelemetry/api'
import { type HttpOptions, instrumentHttp } from '../index.ts'
import { contractOf } from './contract.test.kit.ts'
import { activeTraceId, connect, listen, readToClose, readUntil, request, serve } from './net.test.kit.ts'
import type { TestProvider } from './provider.test.kit.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const traceparent = `00-${traceId}-b7ad6b7169203331-01`

function instrument(t: TestContext, options: HttpOptions = {}): void {
  const instrumentation = instrumentHttp(options)
  t.after(() => instrumentation.disable())
}

/** Strangers' headers, other protocols, and what is seldom. */
export function edgeContract(provider: TestProvider): void {
  protocolContract(provider)
  headerContract(provider)
}

function protocolContract(provider: TestProvider): void {
  const { collector } = provider
  const contract = contractOf(provider)

  contract('HTTPS: server and client span are one trace', async (t) => {
    instrument(t)
    // A shared key instead of certificates: nothing to keep, nothing to expire.
    const psk = Buffer.from('0123456789abcdef')
    const common = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const
    const server = https.createServer({ ...common, pskCallback: () => psk }, (_, response) =>
      response.end(activeTraceId()),
    )
    const port = await listen(t, server)
    const sent = https.get({
      ...common,
      port,
      host: '127.0.0.1',
      agent: false,
      pskCallback: () => ({ psk, identity: 'test' }),
      checkServerIdentity: () => undefined,
    } as https.RequestOptions)
    const [response] = (await once(sent, 'response')) as [http.IncomingMessage & { socket: TLSSocket }]
    let body = ''
    for await (const chunk of response) body += String(chunk)
    const [first, second] = await collector.take(2)
    const [served, called] = first?.attributes['url.full'] === undefined ? [first, second] : [second, first]
    assert.equal(called?.attributes['url.full'], `https://127.0.0.1:${port}/`)
    assert.equal(served?.attributes['url.scheme'], 'https')
    assert.equal(served?.parentSpanContext?.spanId, called?.spanContext().spanId)
    assert.equal(body, called?.spanContext().traceId)
  })

  contract('upgrade: the span measures the handshake, and its context holds in the handler', async (t) => {
    instrument(t, { client: false })
    let active = ''
    const server = http.createServer((_, response) => response.end('plain'))
    server.on('upgrade', (_, socket: Socket) => {
      setImmediate(() => {
        active = activeTraceId()
        socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n')
        socket.write('and on it goes')
      })
    })
    const socket = await connect(t, await listen(t, server))
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await readUntil(socket, 'plain')
    await collector.one()
    socket.write(
      `GET /chat HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\ntraceparent: ${traceparent}\r\n\r\n`,
    )
    assert.match(await readUntil(socket, 'and on it goes'), /^HTTP\/1.1 101/)
    const span = await collector.one()
    assert.equal(active, traceId)
    assert.equal(span.spanContext().traceId, traceId)
    assert.equal(span.attributes['url.path'], '/chat')
    assert.equal(span.attributes['http.response.status_code'], 101)
  })

  contract('an upgrade that nobody answers ends with the connection', async (t) => {
    instrument(t, { client: false })
    const server = http.createServer()
    server.on('upgrade', (_, socket: Socket) => socket.destroy())
    const socket = await connect(t, await listen(t, server))
    socket.resume()
    socket.on('error', () => {})
    socket.write('GET /chat HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    assert.equal((await collector.one()).attributes['error.type'], 'aborted')
  })

  contract('CONNECT through a proxy: the span ends with the tunnel made', async (t) => {
    instrument(t, { client: false })
    const proxy = http.createServer()
    proxy.on('connect', (_, socket: Socket) => socket.end('HTTP/1.1 200 Connection Established\r\n\r\n'))
    const socket = await connect(t, await listen(t, proxy))
    socket.write('CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n')
    await readUntil(socket, 'Established')
    const span = await collector.one()
    assert.equal(span.name, 'CONNECT')
    assert.equal(span.attributes['http.response.status_code'], 200)
  })

  contract('a broken request is not handled in the context of the one before it', async (t) => {
    instrument(t, { client: false })
    const server = http.createServer((_, response) => response.end('fine'))
    let active = ''
    server.on('clientError', (_, socket) => {
      active = activeTraceId()
      socket.destroy()
    })
    const socket = await connect(t, await listen(t, server))
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\ntraceparent: ${traceparent}\r\n\r\n`)
    await readUntil(socket, 'fine')
    await collector.one()
    socket.write('garbage\r\n\r\n')
    await once(socket, 'close')
    assert.equal(active, 'none')
  })

  contract(
    'what Node answers by itself has a span too: 400 without Host, 417, 503 of a worn connection',
    async (t) => {
      instrument(t, { client: false })
      const server = http.createServer((_, response) => response.end('ok'))
      server.maxRequestsPerSocket = 1
      server.on('checkExpectation', (_, response) => response.writeHead(417).end())
      const port = await listen(t, server)
      const bare = await connect(t, port)
      bare.write('GET / HTTP/1.1\r\n\r\n')
      await readUntil(bare, '400')
      assert.equal((await collector.one()).attributes['http.response.status_code'], 400)
      const expecting = await connect(t, port)
      expecting.write('GET / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n')
      await readUntil(expecting, '417')
      assert.equal((await collector.one()).attributes['http.response.status_code'], 417)
      const worn = await connect(t, port)
      worn.write('GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n')
      await readUntil(worn, '503')
      const [served, refused] = await collector.take(2)
      assert.equal(served?.attributes['http.response.status_code'], 200)
      assert.equal(refused?.status.code, SpanStatusCode.ERROR)
    },
  )

  contract('a service with no tracing code of its own forwards the context, by either client', async (t) => {
    instrument(t)
    const heard: string[] = []
    const last = await serve(t, (incoming, response) => {
      heard.push(String(incoming.headers['traceparent']).slice(3, 35), String(incoming.headers['tracestate']))
      response.end()
    })
    const forward = async (): Promise<void> => {
      await (await fetch(`http://127.0.0.1:${last}/`)).text()
      await request(last)
    }
    const middle = await serve(t, (_, response) => {
      void forward().then(() => response.end())
    })
    await new Promise((resolve) => {
      context.with(propagation.extract(context.active(), { traceparent, tracestate: 'a=1' }), () => {
        void request(middle).then(resolve)
      })
    })
    const spans = await collector.take(6)
    assert.deepEqual([...new Set(spans.map((span) => span.spanContext().traceId))], [traceId])
    assert.deepEqual(heard, [traceId, 'a=1', traceId, 'a=1'])
  })
}

function headerContract(provider: TestProvider): void {
  const { collector } = provider
  const contract = contractOf(provider)

  contract('garbage in the trace headers starts a new trace and fails nothing', async (t) => {
    const instrumentation = instrumentHttp({ client: false })
    t.after(() => instrumentation.disable())
    const port = await serve(t, (_, response) => response.end('ok'))
    const bad: http.OutgoingHttpHeaders[] = [
      { traceparent: '' },
      { traceparent: '00' },
      { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` },
      { traceparent: `00-${traceId}-${'0'.repeat(16)}-01` },
      { traceparent: `ff-${traceId}-b7ad6b7169203331-01` },
      { traceparent: `00-${traceId.toUpperCase()}-b7ad6b7169203331-01` },
      { traceparent: `${traceparent}-more` },
      { traceparent: 'ÿþ\x80'.repeat(50) },
      { traceparent: [traceparent, traceparent] },
      { tracestate: 'a=1' },
      { baggage: '%%%=;=,,=' },
    ]
    for (const headers of bad) {
      const answer = await request(port, { headers })
      assert.equal(answer.body, 'ok')
      const span = await collector.one()
      assert.notEqual(span.spanContext().traceId, traceId, JSON.stringify(headers))
      assert.equal(span.parentSpanContext, undefined)
    }
    assert.equal(instrumentation.failureCount, 0)
  })

  contract('a hundred tracestate headers are joined, and bounded by the propagator', async (t) => {
    const instrumentation = instrumentHttp({ client: false })
    t.after(() => instrumentation.disable())
    const port = await serve(t, (_, response) => response.end('ok'))
    const headers = { traceparent, tracestate: Array.from({ length: 100 }, (_, index) => `k${index}=v`) }
    assert.equal((await request(port, { headers })).body, 'ok')
    const span = await collector.one()
    assert.equal(span.spanContext().traceId, traceId)
    const members = span.spanContext().traceState?.serialize().split(',') ?? []
    assert.ok(members.length <= 32, `${members.length} members`)
    const two = { traceparent, tracestate: ['a=1', 'b=2'] }
    await request(port, { headers: two })
    assert.equal((await collector.one()).spanContext().traceState?.serialize(), 'a=1,b=2')
    assert.equal(instrumentation.failureCount, 0)
  })

  contract('a megabyte of traceparent: Node refuses it, or a new trace starts', async (t) => {
    instrument(t, { client: false })
    const small = await serve(t, (_, response) => response.end('ok'))
    const socket = await connect(t, small)
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\ntraceparent: ${'0'.repeat(1 << 20)}\r\n\r\n`)
    const answer = await readToClose(socket)
    // The answer itself may be lost: Node closes while the request is still being written.
    if (answer !== '') assert.match(answer, /^HTTP\/1.1 431/)
    assert.equal((await request(small)).body, 'ok')
    await collector.one()
    const large = http.createServer({ maxHeaderSize: 2 << 20 }, (_, response) => response.end('ok'))
    const port = await listen(t, large)
    assert.equal(
      (await request(port, { headers: { traceparent: traceparent + '0'.repeat(1 << 20) } })).body,
      'ok',
    )
    assert.notEqual((await collector.one()).spanContext().traceId, traceId)
  })

  contract('client.address believes proxies only when told to', async (t) => {
    const first = instrumentHttp({ client: false })
    const port = await serve(t, (_, response) => response.end())
    const headers = { 'x-forwarded-for': '192.0.2.7, 10.0.0.1' }
    await request(port, { headers })
    assert.equal((await collector.one()).attributes['client.address'], '127.0.0.1')
    first.disable()
    instrument(t, { client: false, trustProxy: true })
    await request(port, { headers })
    assert.equal((await collector.one()).attributes['client.address'], '192.0.2.7')
    await request(port, { headers: { forwarded: 'proto=https;For="[2001:db8::1]:4711", for=10.0.0.1' } })
    assert.equal((await collector.one()).attributes['client.address'], '2001:db8::1')
    await request(port, { headers: { 'x-forwarded-for': '' } })
    assert.equal((await collector.one()).attributes['client.address'], '127.0.0.1')
  })

  contract('a kept connection whose Host or user agent changes is described anew', async (t) => {
    instrument(t, { client: false })
    const port = await serve(t, (incoming, response) => response.end(`<${incoming.url}>`))
    const socket = await connect(t, port)
    for (const [host, agent] of [
      ['a.example', 'one'],
      ['b.example:81', 'one'],
      ['b.example:81', 'two'],
      ['[::1]:8080', 'two'],
    ]) {
      socket.write(`GET /${host} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: ${agent}\r\n\r\n`)
      await readUntil(socket, `</${host}>`)
    }
    const spans = await collector.take(4)
    assert.deepEqual(
      spans.map(({ attributes }) => [
        attributes['server.address'],
        attributes['server.port'],
        attributes['user_agent.original'],
      ]),
      [
        ['a.example', 80, 'one'],
        ['b.example', 81, 'one'],
        ['b.example', 81, 'two'],
        ['::1', 8080, 'two'],
      ],
    )
  })

  contract('the absolute form of a request line gives the path', async (t) => {
    instrument(t, { client: false })
    const port = await serve(t, (_, response) => response.end())
    await request(port, { path: 'http://other.example/deep/er?a=b' })
    const span = await collector.one()
    assert.equal(span.attributes['url.path'], '/deep/er')
    assert.equal(span.attributes['url.query'], 'a=b')
  })
}
