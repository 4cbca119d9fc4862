import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { after, before, describe, it } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import { type Conformance, loadConformance } from './testing/openapi.ts'
import { startTestApi, type TestApi } from './testing/start-api.ts'
import type * as types from './types.ts'

// Older places of the same operations, which the document leaves out.
const queryForms = ['/node/uptime', '/command/shell']

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS'

describe('the API with a worker', () => {
  let api: TestApi
  let headers: { readonly authorization: string }
  let conformance: Conformance

  before(async () => {
    api = await startTestApi({
      worker: true,
      settings: {
        'agent.labels': { group: 'web.dev' },
        'controller.api.security.cors.allow_origins': ['https://a.example'],
      },
    })
    headers = await api.as('admin')
    conformance = await loadConformance(api.app)
  })
  after(() => api.close())

  async function call(method: Method, url: string, payload?: object): Promise<LightMyRequestResponse> {
    return await api.app.inject({ method, url, headers, ...(payload && { payload }) })
  }

  function send(contentType: string, payload: string): Promise<LightMyRequestResponse> {
    const sent = { ...headers, 'content-type': contentType }
    return api.app.inject({ method: 'POST', url: '/api/job', headers: sent, payload })
  }

  function askFrom(origin: string, method: 'GET' | 'OPTIONS'): Promise<LightMyRequestResponse> {
    const sent = { origin, 'access-control-request-method': 'GET' }
    return api.app.inject({ method, url: '/health', headers: sent })
  }

  async function expect<Body>(status: number, method: Method, url: string, payload?: object): Promise<Body> {
    const response = await call(method, url, payload)
    assert.equal(response.statusCode, status, `${response.body} ${api.log.at(-1)}`)
    const known = queryForms.some((path) => url.startsWith(path)) ? undefined : conformance
    if (!url.startsWith('/api/nothing')) known?.check({ method, url, status, body: response.body })
    return (response.body === '' ? undefined : response.json()) as Body
  }

  it('answers a question with a job id and a row per host', async () => {
    const body = await expect<types.Results<types.HostnameResult>>(200, 'GET', '/api/node/_any/hostname')
    assert.match(body.job_id, /^[0-9a-f-]{36}$/u)
    assert.deepEqual(body.results, [{ hostname: hostname(), labels: { group: 'web.dev' }, status: 'ok' }])
  })

  it('takes the target in the path, as a query parameter, by name, label and machine id', async () => {
    const { agents } = await expect<types.AgentList>(200, 'GET', '/agent')
    const [agent] = agents
    assert.ok(agent)
    for (const url of [
      `/node/${agent.hostname}/uptime`,
      `/api/node/${agent.machine_id}/uptime`,
      '/node/group:web/uptime',
      '/node/_all/uptime',
      '/node/uptime?target_hostname=_all',
      '/node/uptime',
    ]) {
      const body = await expect<types.Results<types.UptimeResult>>(200, 'GET', url)
      assert.equal(body.results.length, 1, url)
      assert.match(body.results[0]?.uptime ?? '', /\d+ \w+/u, url)
    }
  })

  it('answers each question as its schema says', async () => {
    for (const path of ['', '/disk', '/memory', '/load', '/uptime', '/os']) {
      const body = await expect<types.Results>(200, 'GET', `/api/node/_any${path}`)
      assert.deepEqual(
        body.results.map((row) => row.status),
        ['ok'],
        path,
      )
    }
    const { results } = await expect<types.Results<types.NodeStatusResult>>(200, 'GET', '/api/node/_any')
    assert.ok((results[0]?.memory?.total ?? 0) > 0)
    assert.ok((results[0]?.load_average?.['1min'] ?? -1) >= 0)
  })

  it('runs commands, and answers 202 with what they wrote', async () => {
    const exec = await expect<types.Results<types.CommandResult>>(
      202,
      'POST',
      '/api/node/_any/command/exec',
      {
        command: 'sh',
        args: ['-c', 'echo out; echo err >&2; exit 3'],
      },
    )
    const [row] = exec.results
    assert.deepEqual(
      [row?.status, row?.stdout, row?.stderr, row?.exit_code, row?.changed],
      ['ok', 'out\n', 'err\n', 3, true],
    )
    const shell = await expect<types.Results<types.CommandResult>>(202, 'POST', '/command/shell', {
      command: 'echo $((1+2))',
    })
    assert.equal(shell.results[0]?.stdout, '3\n')
  })

  it('answers 500 with the reason where the only worker failed, and a failed row where all were asked', async () => {
    const payload = { command: '/nonexistent/program' }
    const single = await expect<types.ErrorBody>(500, 'POST', '/api/node/_any/command/exec', payload)
    assert.match(single.error, /^job failed: /u)
    const all = await expect<types.Results>(202, 'POST', '/api/node/_all/command/exec', payload)
    assert.equal(all.results[0]?.status, 'failed')
    assert.ok(all.results[0]?.error)
  })

  it('adds, shows, lists, counts, retries and deletes jobs', async () => {
    const operation = { type: 'node.hostname.get', data: {} }
    const added = await expect<types.JobCreated>(201, 'POST', '/job', { operation, target_hostname: '_any' })
    await until(
      async () => (await expect<types.JobDetail>(200, 'GET', `/job/${added.job_id}`)).status === 'completed',
    )
    const job = await expect<types.JobDetail>(200, 'GET', `/api/job/${added.job_id}`)
    assert.deepEqual(job.operation, operation)
    assert.deepEqual(
      job.timeline?.map(({ event }) => event),
      ['submitted', 'acknowledged', 'started', 'completed'],
    )

    const list = await expect<types.JobList>(200, 'GET', '/job?limit=1&status=completed')
    assert.deepEqual(
      list.items.map(({ id }) => id),
      [added.job_id],
    )
    const status = await expect<types.JobStatus>(200, 'GET', '/job/status')
    assert.ok((status.operation_counts['node.hostname.get'] ?? 0) > 0)

    const retried = await expect<types.JobCreated>(201, 'POST', `/job/${added.job_id}/retry`)
    assert.notEqual(retried.job_id, added.job_id)
    await expect(204, 'DELETE', `/job/${added.job_id}`)
    const gone = await expect<types.ErrorBody>(404, 'GET', `/job/${added.job_id}`)
    assert.equal(gone.error, `job not found: ${added.job_id}`)
    await expect(404, 'DELETE', `/job/${added.job_id}`)
  })

  it('names field and rule of what it refuses', async () => {
    const exec = '/node/_any/command/exec'
    const refusals: [method: Method, url: string, payload: object | undefined, error: RegExp][] = [
      ['POST', exec, {}, /^field "command" in body: .*\(rule: required\)$/u],
      ['POST', exec, { command: '' }, /^field "command" in body: .*\(rule: minLength\)$/u],
      [
        'POST',
        exec,
        { command: 'ls', timeout: 301 },
        /^field "timeout" in body: must be <= 300 \(rule: maximum\)$/u,
      ],
      [
        'POST',
        exec,
        { command: 'ls', timeout: 0 },
        /^field "timeout" in body: must be >= 1 \(rule: minimum\)$/u,
      ],
      ['POST', exec, { command: 'ls', timeout: '30' }, /^field "timeout" in body: must be integer/u],
      ['POST', exec, { command: 'ls', args: 'x' }, /^field "args" in body: must be array/u],
      ['POST', '/node/_any/network/ping', { address: 'example' }, /^field "address" in body: .*ip-or-fact/u],
      [
        'PUT',
        '/node/_any/network/dns',
        { interface_name: 'eth0' },
        /^fields in body: must have at least one of servers, search_domains \(rule: anyOf\)$/u,
      ],
      ['GET', '/node/_any/network/dns/et%20h0', undefined, /^field "iface" in path: .*\(rule: pattern\)$/u],
      ['GET', '/job?limit=101', undefined, /^field "limit" in query: must be <= 100/u],
      ['GET', '/job?limit=0', undefined, /^field "limit" in query: must be >= 1/u],
      ['GET', '/job?status=odd', undefined, /^field "status" in query: .*\(rule: enum\)$/u],
      ['GET', '/job/not-a-uuid', undefined, /^field "id" in path: .*uuid/u],
      [
        'POST',
        '/job',
        { operation: { type: 'x' } },
        /^field "operation\.type" in body: .*\(rule: pattern\)$/u,
      ],
      ['GET', '/node/nobody/hostname', undefined, /target agent "nobody" not found$/u],
      ['GET', '/node/group:nobody/hostname', undefined, /target agent "group:nobody" not found$/u],
      [
        'POST',
        '/job',
        { operation: { type: 'node.os.get' }, target_hostname: 'x' },
        /target agent "x" not found$/u,
      ],
    ]
    for (const [method, url, payload, error] of refusals) {
      const body = await expect<types.ErrorBody>(400, method, url, payload)
      assert.match(body.error, error)
    }
  })

  it('takes the last accepted values', async () => {
    for (const timeout of [1, 300]) {
      await expect(202, 'POST', '/node/_any/command/exec', { command: 'true', timeout })
    }
    await expect(200, 'GET', '/job?limit=100')
  })

  it('refuses what is no JSON, of another type, too large or not there', async () => {
    assert.equal((await send('application/json', '{')).statusCode, 400)
    assert.equal((await send('text/csv', 'a')).statusCode, 415)
    const large = await send('application/json', JSON.stringify('x'.repeat(1024 * 1024)))
    assert.equal(large.statusCode, 413)
    assert.deepEqual(large.json(), { error: 'request body too large: at most 1048576 bytes' })
    const nothing = await expect<types.ErrorBody>(404, 'GET', '/api/nothing?x=1')
    assert.equal(nothing.error, 'not found: GET /api/nothing')
    const undecodable = await call('GET', '/api/node/%E0%A4%A/hostname')
    assert.equal(undecodable.statusCode, 400)
    assert.deepEqual(Object.keys(undecodable.json()), ['error'])
  })

  it('shows, drains and undrains agents', async () => {
    const agent = await expect<types.AgentInfo>(200, 'GET', `/agent/${hostname()}`)
    assert.deepEqual(agent.labels, { group: 'web.dev' })
    await expect(404, 'GET', '/agent/nobody')
    await expect(409, 'POST', `/agent/${hostname()}/undrain`)
    const drained = await expect<{ message: string }>(200, 'POST', `/agent/${hostname()}/drain`)
    assert.equal(drained.message, `drain initiated for agent ${hostname()}`)
    await expect(409, 'POST', `/agent/${hostname()}/drain`)
    await expect(200, 'POST', `/agent/${hostname()}/undrain`)
  })

  it('keeps the id of a request, or makes one', async () => {
    const ask = (id: string): Promise<LightMyRequestResponse> =>
      api.app.inject({ method: 'GET', url: '/health', headers: { 'x-request-id': id } })
    assert.equal((await ask('req-1')).headers['x-request-id'], 'req-1')
    const id = 'x'.repeat(129)
    assert.match(String((await ask(id)).headers['x-request-id']), /^[0-9a-f-]{36}$/u)
    assert.match(String((await ask('a b')).headers['x-request-id']), /^[0-9a-f-]{36}$/u)
    assert.ok(
      api.log.some((line) =>
        /INF request method=GET path=\/health status=200 latency=\S+ms request_id=req-1/u.test(line),
      ),
    )
  })

  it('lets configured origins read, and others not', async () => {
    const preflight = await askFrom('https://a.example', 'OPTIONS')
    assert.equal(preflight.statusCode, 204)
    assert.equal(preflight.headers['access-control-allow-origin'], 'https://a.example')
    assert.match(String(preflight.headers['access-control-allow-headers']), /Authorization/u)
    assert.equal(
      (await askFrom('https://b.example', 'GET')).headers['access-control-allow-origin'],
      undefined,
    )
  })

  it('writes who did what, newest first, and not who asked for health', async () => {
    await call('GET', '/api/health/status')
    await call('GET', '/api/node/nobody/os')
    await until(async () => {
      const { items } = await expect<types.AuditList>(200, 'GET', '/audit?limit=5')
      return items.some(({ path }) => path === '/api/node/nobody/os')
    })
    const list = await expect<types.AuditList>(200, 'GET', '/audit?limit=100')
    const entry = list.items.find(({ path }) => path === '/api/node/nobody/os')
    assert.ok(entry)
    assert.deepEqual(
      [entry.user, entry.roles, entry.method, entry.operation_id, entry.response_code, entry.source_ip],
      ['ada', ['admin'], 'GET', 'GetNodeOS', 400, '127.0.0.1'],
    )
    assert.equal(
      list.items.some(({ path }) => path.includes('health')),
      false,
    )
    const times = list.items.map(({ timestamp }) => timestamp)
    assert.deepEqual(times, times.toSorted().toReversed())

    const { entry: found } = await expect<{ entry: types.AuditEntry }>(200, 'GET', `/audit/${entry.id}`)
    assert.deepEqual(found, entry)
    await expect(404, 'GET', '/audit/3f0f0a52-7d2f-4c7b-8a77-0d6a3c0a6d4e')
    const page = await expect<types.AuditList>(200, 'GET', '/audit?limit=1&offset=1')
    assert.equal(page.items.length, 1)
    const all = await expect<types.AuditList>(200, 'GET', '/audit/export')
    assert.equal(all.items.length, all.total_items)
    assert.ok(all.items.length >= list.items.length)
  })

  it('tells its health and its metrics', async () => {
    assert.deepEqual(await expect(200, 'GET', '/health/ready'), { status: 'ready' })
    const health = await expect<types.HealthStatus>(200, 'GET', '/api/health/status')
    assert.equal(health.status, 'ok')
    assert.deepEqual(health.streams?.map(({ name }) => name).toSorted(), ['AUDIT', 'JOBS', 'JOBS-DLQ'])
    assert.ok(health.kv_buckets?.some(({ name }) => name === 'job-queue'))
    assert.equal(health.agents?.total, 1)
    const metrics = await call('GET', '/metrics')
    assert.match(metrics.body, /^osapi_component_up 1$/mu)
    assert.match(metrics.body, /^osapi_jobs_created_total [1-9]/mu)
    assert.match(
      metrics.body,
      /^http_server_request_duration_seconds_count\{.*route="\/api\/node\/:target\/hostname".*\} 1$/mu,
    )
  })
})

describe('the API without a worker', () => {
  let api: TestApi
  before(async () => {
    api = await startTestApi({ settings: { 'controller.api.job_timeout': '300ms' } })
  })
  after(() => api.close())

  it('answers 500 when nobody does', async () => {
    const headers = await api.as('admin')
    const single = await api.app.inject({ method: 'GET', url: '/node/_any/os', headers })
    assert.equal(single.statusCode, 500)
    assert.equal(
      single.json<types.ErrorBody>().error,
      'failed to publish and wait: timeout waiting for job response: context deadline exceeded',
    )
    const all = await api.app.inject({ method: 'GET', url: '/node/_all/os', headers })
    assert.equal(all.statusCode, 500)
    assert.match(all.json<types.ErrorBody>().error, /no agents/u)
  })
})

/** Waits on the system itself; the test runner's own limit ends it when the system never gets there. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo()));
}
