import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AgentInfo, HealthStatus, JobDetail } from '../../api/types.ts'
import { agentLines, agentListLines } from './agent-views.ts'
import { auditEntryLines, auditListLines } from './audit-views.ts'
import { formatMinute } from './format.ts'
import { healthStatusLines } from './health-views.ts'
import * as jobViews from './job-views.ts'
import { generatedTokenLines, validatedTokenLines } from './token-views.ts'

const jobId = '550e8400-e29b-41d4-a716-446655440000'
const now = new Date('2026-02-20T12:00:00Z')

function screen(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`
}

const job: JobDetail = {
  id: jobId,
  status: 'partial_failure',
  created: '2026-02-16T13:21:06Z',
  updated_at: '2026-02-16T13:21:07Z',
  hostname: 'web-01',
  target: '_all',
  operation: { type: 'node.hostname.get', data: {} },
  error: 'it broke',
  responses: {
    'web-01': { status: 'completed', hostname: 'web-01', data: { hostname: 'web-01' } },
    'web-02': { status: 'failed', hostname: 'web-02', error: 'it broke' },
  },
  agent_states: {
    'web-01': { status: 'completed', duration: '12ms' },
    'web-02': { status: 'failed', error: 'it broke' },
  },
  timeline: [
    {
      timestamp: '2026-02-16T13:21:06Z',
      event: 'submitted',
      hostname: '_api',
      message: 'Job submitted to queue',
    },
    {
      timestamp: '2026-02-16T13:21:07Z',
      event: 'failed',
      hostname: 'web-02',
      message: 'Job failed on web-02',
      error: 'it broke',
    },
  ],
  result: { hostname: 'web-01' },
}

describe('job views', () => {
  it('show a job with all its sections', () => {
    assert.equal(
      screen(jobViews.jobDetailLines(job)),
      `
  Job ID: 550e8400-e29b-41d4-a716-446655440000    Status: partial_failure
  Hostname: web-01
  Created: 2026-02-16T13:21:06Z    Updated At: 2026-02-16T13:21:07Z
  Error: it broke

  Job Request:
  {
    "type": "node.hostname.get",
    "data": {}
  }

  Agent Responses:
  HOSTNAME  STATUS     DATA                   ERROR
  web-01    completed  {"hostname":"web-01"}
  web-02    failed                            it broke

  Agent States:
  HOSTNAME  STATUS     DURATION  ERROR
  web-01    completed  12ms
  web-02    failed               it broke

  Timeline:
  TIMESTAMP             EVENT      HOSTNAME  MESSAGE                 ERROR
  2026-02-16T13:21:06Z  submitted  _api      Job submitted to queue
  2026-02-16T13:21:07Z  failed     web-02    Job failed on web-02    it broke

  Job Result:
  {
    "hostname": "web-01"
  }
`,
    )
  })

  it('leave out what a young job does not have', () => {
    const young = { id: jobId, status: 'submitted', created: '2026-02-16T13:21:06Z' }
    assert.deepEqual(jobViews.jobDetailLines(young), [
      '',
      `  Job ID: ${jobId}    Status: submitted`,
      '  Created: 2026-02-16T13:21:06Z',
    ])
  })

  it('list jobs under their counts', () => {
    const list = {
      total_items: 86,
      status_counts: { submitted: 2, completed: 83, partial_failure: 1 },
      items: [job],
    }
    assert.equal(
      screen(jobViews.jobListLines(list, { status: 'completed', limit: 10, offset: 20 })),
      `
  Total: 86           Showing: completed (1)
  Submitted: 2        Completed: 83       Failed: 0           Partial: 1
  Filter: status completed, limit 10, offset 20

  JOB ID                                STATUS           CREATED           TARGET  OPERATION
  ${jobId}  partial_failure  ${formatMinute(job.created)}  _all    node.hostname.get
`,
    )
    const all = jobViews.jobListLines({ ...list, items: [] }, { limit: 10, offset: 0 })
    assert.ok(screen(all).includes('Showing: All jobs\n'))
    assert.equal(all.at(-1), '  Filter: limit 10')
    assert.deepEqual(jobViews.jobListJson(list, { limit: 10, offset: 0 }), {
      total_jobs: 86,
      displayed_jobs: 1,
      status_counts: list.status_counts,
      filter_applied: '',
      limit_applied: 10,
      offset_applied: 0,
      jobs: [job],
    })
  })

  it('count jobs by status and operation, and the dead letters if there are any', () => {
    const status = {
      total_jobs: 7,
      status_counts: { submitted: 1, processing: 1, completed: 3, failed: 1, skipped: 1 },
      operation_counts: { 'node.hostname.get': 4, 'command.exec.execute': 3 },
      dlq_count: 2,
    }
    assert.equal(
      screen(jobViews.jobStatusLines(status)),
      `
  STATUS             COUNT
  Total              7
  Unprocessed        1
  Processing         1
  Completed          3
  Failed             1
  Skipped            1
  Dead Letter Queue  2

  OPERATION             COUNT
  command.exec.execute  3
  node.hostname.get     4
`,
    )
  })

  it('say what became of a new and of a deleted job', () => {
    const created = {
      job_id: jobId,
      status: 'created' as const,
      revision: 1,
      timestamp: '2026-02-16T13:21:06Z',
    }
    assert.deepEqual(jobViews.jobCreatedLines(created), ['', `  Job ID: ${jobId}    Status: created`])
    assert.deepEqual(jobViews.jobDeletedLines(jobId), ['', `  Job ID: ${jobId}    Status: Deleted`])
  })
})

const agent: AgentInfo = {
  machine_id: 'abc123',
  hostname: 'web-01',
  status: 'Ready',
  labels: { group: 'web.dev' },
  started_at: '2026-02-17T08:00:00Z',
  last_seen: '2026-02-20T11:59:57Z',
  os_info: { distribution: 'Ubuntu', version: '24.04' },
  uptime: '2 days',
  load_average: { '1min': 0.5, '5min': 0.25, '15min': 0.125 },
  memory: { total: 4 * 1024 ** 3, free: 1024 ** 3, used: 3 * 1024 ** 3 },
  conditions: [
    { type: 'HighLoad', status: true, reason: 'load 4.12', last_transition_time: '2026-02-20T11:15:00Z' },
    { type: 'DiskPressure', status: false, last_transition_time: '2026-02-20T11:59:30Z' },
  ],
  architecture: 'x64',
  kernel_version: '6.1',
  fqdn: 'web-01.example',
  cpu_count: 2,
  interfaces: [{ name: 'eth0', address: '10.0.0.1' }],
  timeline: [
    { timestamp: '2026-02-20T10:00:00Z', event: 'drain', hostname: 'web-01', message: 'Drain requested' },
  ],
}

describe('agent views', () => {
  it('list agents with their true conditions', () => {
    assert.equal(
      screen(
        agentListLines(
          { agents: [agent, { ...agent, machine_id: 'b', labels: {}, conditions: [] }], total: 2 },
          now,
        ),
      ),
      `
  Active Agents (2):

  MACHINE ID  HOSTNAME  STATUS  CONDITIONS  LABELS         AGE    LOAD (1m)  OS
  abc123      web-01    Ready   HighLoad    group:web.dev  3d 4h  0.50       Ubuntu 24.04
  b           web-01    Ready   -           -              3d 4h  0.50       Ubuntu 24.04
`,
    )
    assert.deepEqual(agentListLines({ agents: [], total: 0 }, now), ['', '  No active agents found.'])
  })

  it('show one agent in full', () => {
    assert.equal(
      screen(agentLines(agent, now)),
      `
  Hostname: web-01    Machine ID: abc123
  Status: Ready
  Labels: group:web.dev
  OS: Ubuntu 24.04
  Uptime: 2 days      Age: 3d 4h          Last Seen: 3s ago
  Load: 0.50, 0.25, 0.13 (1m, 5m, 15m)
  Memory: 3 GB used / 4 GB total / 1 GB free
  Architecture: x64    Kernel: 6.1
  FQDN: web-01.example    CPUs: 2

  Interfaces:
  NAME  ADDRESS
  eth0  10.0.0.1

  Conditions:
  TYPE          STATUS  REASON     SINCE
  HighLoad      true    load 4.12  45m
  DiskPressure  false   -          30s

  Timeline:
  TIMESTAMP             EVENT  HOSTNAME  MESSAGE
  2026-02-20T10:00:00Z  drain  web-01    Drain requested
`,
    )
  })
})

describe('health view', () => {
  it('shows components as branches of their process', () => {
    const health: HealthStatus = {
      status: 'degraded',
      version: '0.1.0',
      uptime: '7h6m',
      components: { nats: { status: 'ok' }, kv: { status: 'error', error: 'no such bucket' } },
      nats: { url: 'nats://localhost:4222', version: '2.9.10' },
      streams: [{ name: 'JOBS', messages: 42, bytes: 1024, consumers: 24 }],
      kv_buckets: [{ name: 'job-queue', keys: 10, bytes: 2048 }],
      jobs: { total: 100, completed: 90, unprocessed: 5, processing: 2, failed: 3, dlq: 0 },
      consumers: { total: 24 },
      registry: [
        {
          type: 'agent',
          hostname: 'web-01',
          status: 'Ready',
          conditions: ['HighLoad', 'DiskPressure'],
          age: '3d 4h',
          cpu_percent: 1.25,
          mem_bytes: 65 * 1024 ** 2,
          sub_components: { heartbeat: { status: 'ok' }, tracing: { status: 'ok' } },
        },
        { type: 'controller', hostname: 'web-02', status: 'Ready', conditions: [], age: '45m' },
      ],
    }
    assert.equal(
      screen(healthStatusLines(health)),
      `
  Status: degraded    Version: 0.1.0      Uptime: 7h6m
  kv: error (no such bucket)

  TYPE          HOSTNAME  STATUS  CONDITIONS             AGE    CPU   MEM
  agent         web-01    Ready   HighLoad,DiskPressure  3d 4h  1.3%  65.0 MB
  ├─ heartbeat            ok
  └─ tracing              ok
  controller    web-02    Ready   -                      45m    -     -

  NATS: nats://localhost:4222 (2.9.10)
  Consumers: 24 total
  Jobs: 100 total, 90 completed, 5 unprocessed, 3 failed, 0 dlq
  Stream: JOBS (42 msgs, 1.0 KB, 24 consumers)
  Bucket: job-queue (10 keys, 2.0 KB)
`,
    )
  })
})

describe('audit views', () => {
  const entry = {
    id: jobId,
    timestamp: '2026-02-16T13:21:06Z',
    user: 'ada',
    roles: ['admin', 'read'],
    method: 'GET',
    path: '/api/node/_any/hostname',
    source_ip: '127.0.0.1',
    response_code: 200,
    duration_ms: 12,
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
  }

  it('list entries with the head of their trace id', () => {
    const { trace_id: _, ...untraced } = entry
    assert.equal(
      screen(auditListLines({ total_items: 9, items: [entry, untraced] })),
      `
  Audit Entries (2 of 9):

  ID        TIMESTAMP             USER  METHOD  PATH                     STATUS  DURATION  TRACE ID
  550e8400  2026-02-16T13:21:06Z  ada   GET     /api/node/_any/hostname  200     12ms      4bf92f3577b34da6…
  550e8400  2026-02-16T13:21:06Z  ada   GET     /api/node/_any/hostname  200     12ms      -
`,
    )
  })

  it('show one entry with the whole trace id', () => {
    assert.equal(
      screen(auditEntryLines(entry)),
      `
  ID: ${jobId}
  Timestamp: 2026-02-16T13:21:06Z
  User: ada           Roles: admin, read
  Method: GET         Path: /api/node/_any/hostname
  Source IP: 127.0.0.1
  Status: 200         Duration: 12ms
  Trace ID: 4bf92f3577b34da6a3ce929d0e0e4736
`,
    )
  })
})

describe('token views', () => {
  it('show what was generated, the token on a line of its own', () => {
    const token = `${'x'.repeat(300)}.y.z`
    assert.deepEqual(generatedTokenLines({ token, subject: 'ada', roles: ['read', 'write'] }), [
      '',
      `  Token: ${token}`,
      '  Subject: ada        Roles: read, write',
    ])
  })

  it('show what a token allows and for how long', () => {
    const claims = {
      subject: 'ada',
      roles: ['read'],
      permissions: ['job:read'],
      audience: ['https://localhost'],
      issuedAt: new Date('2026-02-16T13:21:06Z'),
      expiresAt: new Date('2026-05-17T13:21:06Z'),
    }
    assert.equal(
      screen(validatedTokenLines(claims, {})),
      `
  Subject: ada        Roles: read
  Permissions: job:read
  Effective Permissions: job:read
  Audience: https://localhost
  Issued: 2026-02-16T13:21:06Z    Expires: 2026-05-17T13:21:06Z
`,
    )
  })
})
