import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { TestContext } from 'node:test'
import { context, SpanStatusCode, trace } from '@opentelemetry/api'
import { instrumentHttp, tracedAgent, tracedFetch } from '../index.ts'
import { contractOf } from './contract.test.kit.ts'
import { request, serve } from './net.test.kit.ts'
import type { TestProvider } from './provider.test.kit.ts'

async function echo(t: TestContext): Promise<string> {
  const port = await serve(t, (incoming, response) => {
    if (incoming.url === '/redirect') {
      response.writeHead(302, { location: '/there' }).end()
      return
    }
    const status = Number(incoming.url?.slice(1)) || 200
    response.writeHead(status, { 'x-kept': 'yes' })
    response.end(status === 204 ? undefined : String(incoming.headers['traceparent']))
  })
  return `http://127.0.0.1:${port}`
}

/** tracedFetch and tracedAgent over any provider. */
export function wrapperContract(provider: TestProvider): void {
  const { collector } = provider
  const contract = contractOf(provider)

  contract('tracedFetch: a span per call, the header in a copy, the body ends it', async (t) => {
    const url = await echo(t)
    const headers = new Headers({ 'x-a': '1' })
    const parent = trace.getTracer('test').startSpan('parent')
    const response = await context.with(trace.setSpan(context.active(), parent), () =>
      tracedFetch()(`${url}/?token=x`, { headers }),
    )
    assert.deepEqual([...headers.keys()], ['x-a'])
    assert.equal(collector.untaken.length, 0)
    const body = await response.text()
    const span = await collector.one()
    assert.match(body, new RegExp(`^00-${span.spanContext().traceId}-${span.spanContext().spanId}-0[13]$`))
    assert.equal(span.parentSpanContext?.spanId, parent.spanContext().spanId)
    assert.equal(span.name, 'GET')
    assert.equal(span.attributes['url.full'], `${url}/?token=REDACTED`)
    assert.equal(span.attributes['http.response.status_code'], 200)
  })

  contract('tracedFetch: what it answers with is the response it got', async (t) => {
    const url = await echo(t)
    const response = await tracedFetch()(`${url}/redirect`)
    assert.equal(response.url, `${url}/there`)
    assert.equal(response.redirected, true)
    assert.equal(response.type, 'basic')
    assert.equal(response.headers.get('x-kept'), 'yes')
    const clone = response.clone()
    assert.equal(clone.url, `${url}/there`)
    assert.equal(await response.text(), await clone.text())
    const span = await collector.one()
    assert.equal(span.attributes['url.full'], `${url}/redirect`)
    const reader = (await tracedFetch()(url)).body?.getReader({ mode: 'byob' })
    const first = await reader?.read(new Uint8Array(4))
    assert.equal(Buffer.from(first?.value ?? []).toString('latin1', 0, 3), '00-')
    await reader?.cancel()
    await collector.one()
  })

  contract('tracedFetch: no body, errors, refused connections', async (t) => {
    const url = await echo(t)
    assert.equal((await tracedFetch()(`${url}/204`)).body, null)
    assert.equal((await collector.one()).attributes['http.response.status_code'], 204)
    await (await tracedFetch()(`${url}/404`)).text()
    assert.equal((await collector.one()).attributes['error.type'], '404')
    const failing = tracedFetch(async () =>
      Promise.reject(new TypeError('fetch failed', { cause: connectionRefused() })),
    )
    await assert.rejects(failing('http://a.example/'), TypeError)
    const span = await collector.one()
    assert.equal(span.attributes['error.type'], 'ECONNREFUSED')
    assert.equal(span.events[0]?.name, 'exception')
  })

  contract('tracedFetch: Request objects and other bases', async () => {
    let got: Headers | undefined
    const base: typeof fetch = async (_, init) => {
      got = new Headers(init?.headers)
      return new Response('made')
    }
    const response = await tracedFetch(base)(
      new Request('http://a.example/x', { method: 'PUT', headers: { 'x-b': '2' } }),
    )
    assert.equal(await response.text(), 'made')
    const span = await collector.one()
    assert.equal(span.name, 'PUT')
    assert.equal(got?.get('x-b'), '2')
    assert.match(String(got?.get('traceparent')), new RegExp(span.spanContext().spanId))
  })

  contract('tracedFetch: a body that breaks off is an error, for the reader and for the span', async () => {
    const broken = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.error(new RangeError('cut')),
    })
    const response = await tracedFetch(async () => new Response(broken))('http://a.example/')
    await assert.rejects(response.text(), RangeError)
    const span = await collector.one()
    assert.equal(span.status.code, SpanStatusCode.ERROR)
    assert.equal(span.attributes['error.type'], 'RangeError')
  })

  contract('tracedFetch: a URL that is none fails as it would without tracing', async () => {
    await assert.rejects(tracedFetch()('not a url'), { name: 'TypeError' })
  })

  contract('tracedFetch below instrumentHttp, and around itself: one span', async (t) => {
    const instrumentation = instrumentHttp({ server: false })
    t.after(() => instrumentation.disable())
    const url = await echo(t)
    const body = await (await tracedFetch(tracedFetch())(url)).text()
    const span = await collector.one()
    assert.ok(body.includes(span.spanContext().spanId))
  })

  contract(
    'tracedAgent: spans for the requests of this agent only, once, also below instrumentHttp',
    async (t) => {
      const url = await echo(t)
      const port = Number(new URL(url).port)
      const agent = tracedAgent(tracedAgent(new http.Agent()))
      const first = await request(port, { agent, path: '/404' })
      const span = await collector.one()
      assert.ok(first.body.includes(span.spanContext().spanId))
      assert.equal(span.status.code, SpanStatusCode.ERROR)
      assert.equal((await request(port)).body, 'undefined')
      const instrumentation = instrumentHttp({ server: false })
      t.after(() => instrumentation.disable())
      await request(port, { agent })
      await collector.one()
    },
  )

  contract('tracedAgent without an agent keeps connections alive', async (t) => {
    const port = Number(new URL(await echo(t)).port)
    const agent = tracedAgent()
    t.after(() => agent.destroy())
    const sockets = new Set<unknown>()
    for (const path of ['/', '/']) {
      const sent = http.get({ port, host: '127.0.0.1', path, agent })
      const [response] = (await once(sent, 'response')) as [http.IncomingMessage]
      sockets.add(response.socket)
      response.resume()
      await once(response, 'close')
    }
    await collector.take(2)
    assert.equal(sockets.size, 1)
  })
}

function connectionRefused(): Error {
  return Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
}
