import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { openDuckDbStore } from '../duckdb/store.ts'
import { limits } from '../limits.ts'
import { queryEngine } from '../query/query-engine.ts'
import type { TraceStore } from '../store.ts'
import { jobTrace, sampleOriginNano, sampleSpan } from '../testing/sample.ts'
import { createApi } from './server.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const failedId = '1af7651916cd43dd8448eb211c80319c'

describe('the API', () => {
  let store: TraceStore
  let app: FastifyInstance
  before(async () => {
    store = await openDuckDbStore({ dataDir: ':memory:' })
    const failed = sampleSpan({ traceId: failedId, statusCode: 2, startTimeUnixNano: sampleOriginNano - 1n })
    await store.append({ spans: [...jobTrace(traceId), failed], logs: [] })
    const health = {
      status: 'ok',
      receivedSpansCount: 12,
      refusedSpansCount: 0,
      receivedLogsCount: 0,
      refusedLogsCount: 0,
      refusedMetricPointsCount: 0,
    } as const
    app = createApi({ engine: queryEngine(store), health: () => health, host: '127.0.0.1' })
  })
  after(async () => {
    await app.close()
    await store.close()
  })

  const get = async (url: string) => {
    const response = await app.inject(url)
    return { status: response.statusCode, body: response.json(), headers: response.headers }
  }

  const ids = async (query: string): Promise<readonly string[]> =>
    (await get(`/api/traces${query}`)).body.traces.map((trace: { traceId: string }) => trace.traceId)

  it('gives a trace with details, or without on request', async () => {
    const { status, body } = await get(`/api/traces/${traceId}`)
    assert.deepEqual([status, body.spanCount, body.spans[5].attributes['job.target']], [200, 11, '_any'])
    const bare = await get(`/api/traces/${traceId.toUpperCase()}?details=false`)
    assert.deepEqual([bare.body.spanCount, bare.body.spans[5].attributes], [11, undefined])
    const compact = await get(`/api/traces/${traceId}?compact=true`)
    assert.deepEqual([compact.body.spans.depths.length, compact.body.spans.attributes], [11, undefined])
  })

  it('gives the details of one span', async () => {
    const { body } = await get(`/api/traces/${traceId}/spans/0000000000000006`)
    assert.equal(body.attributes['job.target'], '_any')
    assert.equal(body.resource['service.name'], 'osapi-worker')
    assert.equal(body.scopeName, '@throughline/nats')
  })

  it('lists traces by filter', async () => {
    assert.deepEqual(await ids(''), [traceId, failedId])
    assert.deepEqual(await ids('?error=true'), [failedId])
    assert.deepEqual(await ids('?error=false&service=osapi-cli'), [traceId])
    assert.deepEqual(await ids('?minDurationMs=10.5&limit=1'), [traceId])
    assert.deepEqual(await ids(`?service=&limit=${limits.tracesLimitMax}`), [traceId, failedId])
  })

  it('lists services, and says that it is well', async () => {
    assert.deepEqual((await get('/api/services')).body.services[1], {
      name: 'osapi-cli',
      spanCount: 2,
      errorCount: 0,
    })
    assert.equal((await get('/health')).body.status, 'ok')
  })

  const bad: readonly [url: string, parameter: string, value: string, allowed: RegExp][] = [
    ['/api/traces?limit=0', 'limit', '0', /whole number from 1 to 1000/],
    ['/api/traces?limit=1001', 'limit', '1001', /1 to 1000/],
    ['/api/traces?limit=1.5', 'limit', '1.5', /whole/],
    ['/api/traces?limit=1&limit=2', 'limit', '["1","2"]', /one value/],
    ['/api/traces?minDurationMs=-1', 'minDurationMs', '-1', /number from 0/],
    ['/api/traces?minDurationMs=1e3', 'minDurationMs', '1e3', /number/],
    ['/api/traces?error=yes', 'error', 'yes', /true, false/],
    ['/api/traces?colour=red', 'colour', 'red', /only service, error, minDurationMs, state, limit/],
    ['/api/traces?state=ended', 'state', 'ended', /pending, interrupted/],
    ['/api/traces/xyz', 'traceId', 'xyz', /32 hexadecimal digits/],
    [`/api/traces/${'0'.repeat(32)}`, 'traceId', '0'.repeat(32), /not all zero/],
    [`/api/traces/${traceId}?details=1`, 'details', '1', /true, false/],
    [`/api/traces/${traceId}/spans/zz`, 'spanId', 'zz', /16 hexadecimal digits/],
  ]
  for (const [url, parameter, value, allowed] of bad)
    it(`refuses ${url}`, async () => {
      const { status, body } = await get(url)
      assert.equal(status, 400)
      assert.deepEqual(
        [body.error.code, body.error.parameter, body.error.value],
        ['invalid_parameter', parameter, value],
      )
      assert.match(body.error.allowed, allowed)
      assert.ok(body.error.message.includes(parameter))
    })

  it('does not send a huge value back', async () => {
    const { status, body } = await get(`/api/traces?limit=${'9'.repeat(5000)}`)
    assert.equal(status, 400)
    assert.equal(body.error.value.length, 201)
  })

  it('knows what it does not know', async () => {
    const trace = await get(`/api/traces/${'f'.repeat(32)}`)
    assert.deepEqual([trace.status, trace.body.error.code], [404, 'unknown_trace'])
    const span = await get(`/api/traces/${traceId}/spans/${'f'.repeat(16)}`)
    assert.deepEqual([span.status, span.body.error.code], [404, 'unknown_span'])
    for (const url of ['/nothing', '/assets/..%2f..%2fpackage.json', '/assets/none.js'])
      assert.deepEqual([(await get(url)).status, (await get(url)).body.error.code], [404, 'not_found'])
    assert.equal((await get('/%zz')).status, 400)
  })

  it('answers to names of this machine only', async () => {
    for (const host of ['localhost:4319', '127.0.0.1:4319', '[::1]:4319'])
      assert.equal((await app.inject({ url: '/health', headers: { host } })).statusCode, 200)
    for (const host of ['evil.example', '127.0.0.1.evil.example', 'localhost.evil.example:4319']) {
      const response = await app.inject({ url: '/api/traces', headers: { host } })
      assert.deepEqual([response.statusCode, response.json().error.code], [403, 'foreign-host'])
    }
  })

  it('lets the page load nothing from elsewhere', async () => {
    const response = await app.inject('/')
    assert.match(String(response.headers['content-security-policy']), /^default-src 'self';/)
  })
})
