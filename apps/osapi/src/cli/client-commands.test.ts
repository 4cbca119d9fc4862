import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import {
  type AnsweringServer,
  createWorkspace,
  type Finished,
  runOsapi,
  startAnswering,
  type Workspace,
} from './testing/run-osapi.ts'

const jobId = '550e8400-e29b-41d4-a716-446655440000'
const created = { job_id: jobId, status: 'created', revision: 1, timestamp: '2026-02-16T13:21:06Z' }
const detail = {
  id: jobId,
  status: 'processing',
  created: '2026-02-16T13:21:06Z',
  operation: { type: 'a.b' },
  timeline: [],
}
const entry = {
  id: jobId,
  timestamp: '2026-02-16T13:21:06Z',
  user: 'ada',
  roles: ['admin'],
  method: 'GET',
  path: '/api/job',
  source_ip: '::1',
  response_code: 200,
  duration_ms: 1,
}

const one = { job_id: jobId, results: [{ hostname: 'web-01', status: 'ok' }] }
const runs = {
  job_id: jobId,
  results: [
    { hostname: 'web-01', status: 'ok', changed: true, exit_code: 3, stdout: 'a\nb\n', stderr: 'warned\n' },
    { hostname: 'web-02', status: 'ok', changed: true, exit_code: 0, stdout: 'c', stderr: '' },
  ],
}

describe('client commands', () => {
  let workspace: Workspace
  let server: AnsweringServer
  let config: string

  before(async () => {
    workspace = createWorkspace()
    server = await startAnswering({
      'GET /api/node/_any/hostname': { body: one },
      'GET /api/node/group%3Aweb/hostname': { body: one },
      'GET /api/node/_all/hostname': {
        body: { job_id: jobId, results: [{ hostname: 'a', status: 'failed', error: 'x' }] },
      },
      'PUT /api/node/web-01/network/dns': {
        status: 202,
        body: { job_id: jobId, results: [{ hostname: 'a', status: 'ok', changed: true }] },
      },
      'POST /api/node/_all/command/exec': { status: 202, body: runs },
      'POST /api/node/_any/command/shell': {
        status: 202,
        body: { job_id: jobId, results: [runs.results[0]] },
      },
      'POST /api/node/web-01/command/shell': {
        status: 202,
        body: {
          job_id: jobId,
          results: [{ hostname: 'web-01', status: 'failed', error: 'command timed out after 1s' }],
        },
      },
      'POST /api/job': { status: 201, body: created },
      [`GET /api/job/${jobId}`]: [
        { body: detail },
        { body: { ...detail, status: 'completed', result: { done: true } } },
      ],
      [`DELETE /api/job/${jobId}`]: { status: 204 },
      [`POST /api/job/${jobId}/retry`]: { status: 201, body: created },
      'GET /api/job': { body: { total_items: 1, status_counts: { completed: 1 }, items: [detail] } },
      'GET /api/job/status': {
        body: { total_jobs: 1, status_counts: {}, operation_counts: {}, dlq_count: 0 },
      },
      'GET /api/agent': { body: { agents: [], total: 0 } },
      'POST /api/agent/web-01/drain': { body: { message: 'drain initiated for agent web-01' } },
      'GET /api/health': { body: { status: 'ok' } },
      'GET /api/health/status': {
        status: 503,
        body: { status: 'degraded', version: '1', uptime: '1m', components: {} },
      },
      'GET /api/health/ready': {
        status: 503,
        body: { status: 'not_ready', error: 'nats connection is closed' },
      },
      'GET /api/audit': { body: { total_items: 1, items: [entry] } },
      'GET /api/audit/export': { body: { total_items: 2, items: [entry, entry] } },
      'GET /api/metrics': { headers: { 'content-type': 'text/plain' }, body: 'osapi_component_up 1\n' },
    })
    config = workspace.file(
      'osapi.yaml',
      `controller: { client: { url: "${server.url}", security: { bearer_token: the-token } } }`,
    )
  })

  after(async () => {
    workspace.remove()
    await server.close()
  })

  async function osapi(...args: string[]): Promise<Finished> {
    return await runOsapi(['-f', config, ...args])
  }

  function last(): { request: string; body: unknown } {
    const { method, url, body } = server.seen.at(-1) ?? { method: '', url: '', body: '' }
    return { request: `${method} ${url}`, body: body === '' ? undefined : JSON.parse(body) }
  }

  const shown = `
  Job ID: ${jobId}

  HOSTNAME  STATUS
  web-01    ok

  1 host: 1 ok
`

  it('print data to stdout and nothing else, in both spellings', async () => {
    for (const args of [['hostname'], ['hostname', 'get']]) {
      const finished = await osapi('client', 'node', ...args)
      assert.deepEqual(finished, { code: 0, stdout: shown, stderr: '' })
      assert.equal(last().request, 'GET /api/node/_any/hostname')
      assert.equal(server.seen.at(-1)?.headers.authorization, 'Bearer the-token')
    }
  })

  it('take flags before and after the names of commands', async () => {
    for (const args of [
      ['client', 'node', '-T', 'group:web', 'hostname', 'get'],
      ['client', 'node', 'hostname', '-T', 'group:web'],
      ['client', 'node', 'hostname', 'get', '--target=group:web'],
      ['client', '--url', server.url, 'node', '--target', '_any', 'hostname', '--target', 'group:web'],
    ]) {
      assert.equal((await osapi(...args)).code, 0)
      assert.equal(last().request, 'GET /api/node/group%3Aweb/hostname')
    }
  })

  it('print the answer as it came with --json', async () => {
    const finished = await osapi('--json', 'client', 'node', 'hostname')
    assert.deepEqual(finished, { code: 0, stdout: `${JSON.stringify(one)}\n`, stderr: '' })
  })

  it('log the exchange with --debug, on stderr', async () => {
    const finished = await osapi('client', 'node', 'hostname', '--debug')
    assert.equal(finished.stdout, shown)
    assert.match(
      finished.stderr,
      /DBG http response method=GET url=http:\S+\/api\/node\/_any\/hostname status=200 duration=/u,
    )
  })

  it('show failed hosts of a broadcast in the table', async () => {
    const finished = await osapi('client', 'node', 'hostname', '-T', '_all')
    assert.match(finished.stdout, /a {9}err\n\n {2}1 host: 1 failed\n\n {2}Details:\n {2}a {9}x\n/u)
    assert.equal(finished.code, 0)
  })

  it('send what dns update is given', async () => {
    const finished = await osapi(
      'client',
      'node',
      'network',
      'dns',
      'update',
      '-T',
      'web-01',
      '--interface-name',
      'eth0',
      '--servers',
      '1.1.1.1,2.2.2.2',
      '--search-domains',
      'example.com',
      '--override-dhcp',
    )
    assert.match(finished.stdout, /a {9}changed {2}true/u)
    assert.deepEqual(last(), {
      request: 'PUT /api/node/web-01/network/dns',
      body: {
        interface_name: 'eth0',
        servers: ['1.1.1.1', '2.2.2.2'],
        search_domains: ['example.com'],
        override_dhcp: true,
      },
    })
  })

  it('exec: one line per host and the highest remote exit code', async () => {
    const finished = await osapi(
      'client',
      'node',
      '-T',
      '_all',
      'command',
      'exec',
      '--command',
      'ls',
      '--args',
      '-d,"a,b"',
      '--cwd',
      '/tmp',
    )
    assert.match(finished.stdout, /web-01 {4}changed {2}3 {5}a b\n/u)
    assert.equal(finished.code, 3)
    assert.deepEqual(last().body, { command: 'ls', timeout: 30, args: ['-d', 'a,b'], cwd: '/tmp' })
  })

  it('exec: raw output of a broadcast says whose each line is', async () => {
    const args = ['client', 'node', 'command', 'exec', '-T', '_all', '--command', 'ls', '--stdout']
    assert.deepEqual(await osapi(...args), {
      code: 3,
      stdout: '[web-01] a\n[web-01] b\n[web-02] c\n',
      stderr: '',
    })
    assert.deepEqual(await osapi(...args, '--stderr'), {
      code: 3,
      stdout: '[web-01] a\n[web-01] b\n[web-02] c\n',
      stderr: '[web-01] warned\n',
    })
  })

  it('shell: raw output of one host is bare, and a command that did not run is a failure', async () => {
    const args = ['client', 'node', 'command', 'shell', '--command', 'ls | wc', '--stdout']
    assert.deepEqual(await osapi(...args), { code: 3, stdout: 'a\nb\n', stderr: '' })
    const failed = await osapi(...args, '-T', 'web-01', '--timeout', '1')
    assert.deepEqual(failed, { code: 1, stdout: '', stderr: 'command timed out after 1s\n' })
    assert.deepEqual(last().body, { command: 'ls | wc', timeout: 1 })
  })

  it('job: add, run, list, get, delete, retry and status', async () => {
    const file = workspace.file('job.json', '{"type":"node.hostname.get"}')
    const added = await osapi('client', 'job', 'add', '--json-file', file, '--target-hostname', 'web-01')
    assert.equal(added.stdout, `\n  Job ID: ${jobId}    Status: created\n`)
    assert.deepEqual(last().body, { operation: { type: 'node.hostname.get' }, target_hostname: 'web-01' })

    const ran = await osapi('client', 'job', 'run', '--json-file', file, '-p', '1')
    assert.match(ran.stdout, /Status: completed/u)
    assert.deepEqual([ran.code, ran.stderr], [0, ''])

    await osapi('client', 'job', 'list', '--status', 'completed', '--limit', '5', '--offset', '2')
    assert.equal(last().request, 'GET /api/job?status=completed&limit=5&offset=2')

    const deleted = await osapi('client', 'job', 'delete', '--job-id', jobId)
    assert.equal(deleted.stdout, `\n  Job ID: ${jobId}    Status: Deleted\n`)

    await osapi('client', 'job', 'retry', '--job-id', jobId)
    assert.deepEqual(last(), { request: `POST /api/job/${jobId}/retry`, body: { target_hostname: '_any' } })

    const status = await osapi('client', 'job', 'status')
    assert.match(status.stdout, /^\n {2}STATUS {7}COUNT\n {2}Total {8}1\n/u)
  })

  it('job run: gives up after its timeout', async () => {
    const slow = await startAnswering({
      'POST /api/job': { status: 201, body: created },
      [`GET /api/job/${jobId}`]: { body: detail },
    })
    const file = workspace.file('slow.json', '{"type":"node.hostname.get"}')
    const finished = await osapi('client', '--url', slow.url, 'job', 'run', '--json-file', file, '-t', '0')
    await slow.close()
    assert.match(finished.stderr, new RegExp(`ERR job ${jobId} is still processing after 0 seconds`, 'u'))
    assert.equal(finished.code, 1)
  })

  it('agent, health and metrics', async () => {
    assert.equal((await osapi('client', 'agent', 'list')).stdout, '\n  No active agents found.\n')
    const drained = await osapi('client', 'agent', 'drain', '--hostname', 'web-01')
    assert.equal(drained.stdout, '\n  drain initiated for agent web-01\n')
    assert.equal((await osapi('client', 'health')).stdout, '\n  Status: ok\n')
    assert.equal((await osapi('client', 'health', 'liveness')).stdout, '\n  Status: ok\n')
    assert.equal((await osapi('client', 'metrics')).stdout, 'osapi_component_up 1\n')
  })

  it('health: what is not ready or degraded is a failure, and a degraded system is shown', async () => {
    const ready = await osapi('client', 'health', 'ready')
    assert.match(ready.stderr, /ERR api error code=503 error="nats connection is closed"/u)
    assert.equal(ready.code, 1)
    const status = await osapi('client', 'health', 'status')
    assert.match(status.stdout, /Status: degraded/u)
    assert.equal(status.code, 1)
  })

  it('audit: list, and export to a file of JSON lines', async () => {
    assert.match((await osapi('client', 'audit', 'list')).stdout, /Audit Entries \(1 of 1\)/u)
    assert.equal(last().request, 'GET /api/audit?limit=20&offset=0')
    const file = workspace.path('audit.jsonl')
    const exported = await osapi('client', 'audit', 'export', '--output', file)
    assert.equal(exported.stdout, `\n  Exported 2 entries to ${file}\n`)
    const lines = readFileSync(file, 'utf8').trim().split('\n')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      [entry, entry],
    )
  })
})
