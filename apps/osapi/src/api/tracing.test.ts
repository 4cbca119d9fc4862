import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { initTracer } from '@throughline/node'
import { excludedPaths } from '../telemetry.ts'
import { startTestApi, type TestApi } from './testing/start-api.ts'
import type * as types from './types.ts'

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const parentId = '00f067aa0ba902b7'
const kindServer = 1
const statusError = 2

interface Ended {
  readonly name: string
  readonly kind: number
  readonly status: { readonly code: number }
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: readonly { readonly name: string }[]
  readonly parentSpanContext?: { readonly spanId: string } | undefined
  spanContext(): { readonly traceId: string; readonly spanId: string }
}

describe('a request to the API', () => {
  const ended: Ended[] = []
  let api: TestApi
  let base: string
  let headers: Record<string, string>
  let stopTracing: () => Promise<void>

  before(async () => {
    const tracing = initTracer('osapi-api', {
      exporter: 'none',
      propagators: ['tracecontext'],
      http: { client: false, responseHeaders: true, excludedPaths },
      spanProcessors: [
        {
          onStart: () => {},
          onEnd: (span) => void ended.push(span),
          forceFlush: () => Promise.resolve(),
          shutdown: () => Promise.resolve(),
        },
      ],
    })
    stopTracing = () => tracing.shutdown()
    api = await startTestApi({ settings: { 'controller.api.job_timeout': '300ms' } })
    // Nothing in a route is about tracing.
    api.app.get('/later/:name', () => Promise.resolve({}))
    api.app.get('/broken', () => Promise.reject(new TypeError('it broke')))
    base = await api.app.listen({ port: 0, host: '127.0.0.1' })
    headers = { ...(await api.as('admin')), connection: 'close' }
  })

  after(async () => {
    await api.close()
    await stopTracing()
  })

  /** The answer, and the server span that ended for it. */
  async function ask(
    path: string,
    more: Record<string, string> = {},
  ): Promise<{ response: Response; span: Ended | undefined }> {
    const known = ended.length
    const response = await fetch(base + path, { headers: { ...headers, ...more } })
    await response.text()
    const id = response.headers.get('x-trace-id')
    const find = (): Ended | undefined =>
      ended.slice(known).find((span) => span.kind === kindServer && span.spanContext().traceId === id)
    if (id === null) return { response, span: undefined }
    while (find() === undefined) await new Promise((resolve) => setImmediate(resolve))
    return { response, span: find() }
  }

  it('is a server span named by its route, whatever the route', async () => {
    const { span } = await ask('/later/anything?x=1')
    assert.equal(span?.name, 'GET /later/:name')
    assert.equal(span.attributes['http.route'], '/later/:name')
    assert.equal((await ask('/nothing/here')).span?.name, 'GET')
  })

  it('goes on with the trace of its sender, and answers with its id', async () => {
    const { response, span } = await ask('/api/job/status', { traceparent: `00-${traceId}-${parentId}-01` })
    assert.equal(response.headers.get('x-trace-id'), traceId)
    assert.equal(span?.name, 'GET /api/job/status')
    assert.equal(span.parentSpanContext?.spanId, parentId)
  })

  it('tells the job that it made', async () => {
    const { response, span } = await ask('/api/node/_any/os')
    assert.equal(response.status, 500, 'there is no worker')
    const { 'job.id': id, 'job.type': type, 'job.target': target } = span?.attributes ?? {}
    assert.match(String(id), /^[0-9a-f-]{36}$/u)
    assert.deepEqual([type, target], ['node.os.get', '_any'])
  })

  it('starts a trace where none came, or rubbish', async () => {
    for (const more of [undefined, { traceparent: `00-${'0'.repeat(32)}-${parentId}-01` }]) {
      const { span } = await ask('/api/job/status', more)
      assert.match(span?.spanContext().traceId ?? '', /^[0-9a-f]{32}$/u)
      assert.equal(span?.parentSpanContext, undefined)
    }
  })

  it('is an error when it broke, with the exception, and none when it was refused', async () => {
    const { response, span } = await ask('/broken')
    assert.equal(response.status, 500)
    assert.equal(span?.status.code, statusError)
    assert.deepEqual(
      span.events.map(({ name }) => name),
      ['exception'],
    )
    for (const path of [
      '/api/job/3f0f0a52-7d2f-4c7b-8a77-0d6a3c0a6d4e',
      '/api/job/x',
      '/api/node/nobody/os',
    ]) {
      const refused = await ask(path)
      assert.ok(refused.response.status >= 400 && refused.response.status < 500)
      assert.deepEqual([refused.span?.status.code, refused.span?.events], [0, []], path)
    }
  })

  it('has its ids in its log line and its audit entry', async () => {
    const { span } = await ask('/api/agent/nobody')
    const { traceId: id, spanId } = span?.spanContext() ?? {}
    const line = api.log.find((text) => text.includes('path=/api/agent/nobody '))
    assert.match(line ?? '', new RegExp(`INF request .* trace_id=${id} span_id=${spanId}$`, 'mu'))
    let entry: types.AuditEntry | undefined
    while (!entry) {
      const list = await fetch(`${base}/api/audit`, { headers })
      entry = ((await list.json()) as types.AuditList).items.find(({ path }) => path === '/api/agent/nobody')
    }
    assert.equal(entry.trace_id, id)
  })

  it('makes no span when it asks for health or metrics', async () => {
    for (const path of ['/health', '/api/health/ready', '/metrics']) {
      const { response, span } = await ask(path)
      assert.deepEqual([response.headers.get('x-trace-id'), span], [null, undefined], path)
    }
  })
})

describe('a handler', () => {
  it('has no line about tracing or correlation', () => {
    const folder = new URL('./routes/', import.meta.url)
    const files = readdirSync(folder).filter((name) => name.endsWith('.js'))
    assert.ok(files.length >= 5)
    for (const name of files) {
      assert.doesNotMatch(
        readFileSync(new URL(name, folder), 'utf8'),
        /trace|span|correlat|session|opentelemetry/iu,
        name,
      )
    }
  })
})
