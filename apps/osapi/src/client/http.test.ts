import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type AnsweringServer, startAnswering } from '../cli/testing/run-osapi.ts'
import { ApiError, createHttpClient, type ResponseInfo } from './http.ts'

describe('the HTTP client', () => {
  let server: AnsweringServer
  before(async () => {
    server = await startAnswering({
      'GET /api/health': {
        body: { status: 'ok' },
        headers: { 'x-trace-id': '4bf92f3577b34da6a3ce929d0e0e4736' },
      },
      'GET /base/api/health': { body: { status: 'based' } },
      'POST /api/job': { status: 201, body: { job_id: '1' } },
      'DELETE /api/job/1': { status: 204 },
      'GET /api/busy': { status: 503, body: { error: 'later' } },
    })
  })
  after(() => server.close())

  it('sends token, query and body, and tells of each response', async () => {
    const responses: ResponseInfo[] = []
    const onResponse = (response: ResponseInfo): void => void responses.push(response)
    const call = createHttpClient({ baseUrl: `${server.url}/`, token: 'secret', onResponse })
    const answer = await call({
      method: 'GET',
      path: '/health',
      query: { limit: 5, status: undefined, q: 'ä b' },
    })
    assert.deepEqual(answer, { status: 200, body: { status: 'ok' }, text: '{"status":"ok"}' })
    const [request] = server.seen
    assert.equal(request?.url, '/api/health?limit=5&q=%C3%A4+b')
    assert.equal(request?.headers.authorization, 'Bearer secret')
    assert.equal(responses[0]?.traceId, '4bf92f3577b34da6a3ce929d0e0e4736')
    assert.equal(responses[0]?.status, 200)

    await call({ method: 'POST', path: '/job', body: { name: 'ü' } })
    assert.deepEqual(JSON.parse(server.seen.at(-1)?.body ?? ''), { name: 'ü' })
    assert.equal(server.seen.at(-1)?.headers['content-type'], 'application/json')
  })

  it('keeps the path of its base, and takes an empty answer', async () => {
    const based = createHttpClient({ baseUrl: `${server.url}/base`, token: 't' })
    assert.deepEqual((await based({ method: 'GET', path: '/health' })).body, { status: 'based' })
    const call = createHttpClient({ baseUrl: server.url, token: 't' })
    assert.deepEqual(await call({ method: 'DELETE', path: '/job/1' }), { status: 204, body: '', text: '' })
  })

  it('rejects with what the API says, unless that status is an answer too', async () => {
    const call = createHttpClient({ baseUrl: server.url, token: 't' })
    await assert.rejects(call({ method: 'GET', path: '/busy' }), (error: unknown) => {
      assert.ok(error instanceof ApiError)
      assert.deepEqual([error.status, error.message], [503, 'later'])
      return true
    })
    assert.equal((await call({ method: 'GET', path: '/busy', accepted: [503] })).status, 503)
  })

  it('gives up when told to', async () => {
    const controller = new AbortController()
    const call = createHttpClient({ baseUrl: server.url, token: 't', signal: controller.signal })
    controller.abort(new Error('interrupted'))
    await assert.rejects(call({ method: 'GET', path: '/health' }), { name: 'AbortError' })
  })
})
