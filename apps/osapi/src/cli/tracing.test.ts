import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { type CollectedSpan, type Collector, startCollector } from './testing/collector.ts'
import {
  type AnsweringServer,
  createWorkspace,
  type Finished,
  runOsapi,
  startAnswering,
  startOsapi,
  type Workspace,
} from './testing/run-osapi.ts'

const jobId = '550e8400-e29b-41d4-a716-446655440000'
const kindInternal = 1
const kindClient = 3
const statusError = 2

describe('the trace of a command', () => {
  let workspace: Workspace
  let server: AnsweringServer
  let collector: Collector
  let config: string
  let onHang: () => void

  before(async () => {
    workspace = createWorkspace()
    server = await startAnswering({
      'GET /api/node/web-01/hostname': {
        body: { job_id: jobId, results: [{ hostname: 'web-01', status: 'ok' }] },
      },
      'GET /api/node/_any/os': { status: 500, body: { error: 'job failed: no such file' } },
      'GET /api/node/_any/disk': { before: () => new Promise(() => onHang()), body: {} },
    })
    config = workspace.file(
      'osapi.yaml',
      `controller: { client: { url: "${server.url}", security: { bearer_token: t } }, api: { security: { signing_key: ${'k'.repeat(32)} } } }`,
    )
  })

  beforeEach(async () => {
    collector = await startCollector()
    onHang = () => {}
  })

  after(async () => {
    workspace.remove()
    await server.close()
  })

  /** Runs a command with the collector, closes it, and gives what it got. */
  async function traced(
    args: readonly string[],
    env: Record<string, string> = {},
  ): Promise<{ finished: Finished; spans: readonly CollectedSpan[] }> {
    const finished = await runOsapi(['-f', config, ...args], { ...otlp(collector.url), ...env })
    await collector.close()
    return { finished, spans: collector.spans }
  }

  it('has a root named like the command, and the request below it', async () => {
    const { finished, spans } = await traced(['client', 'node', 'hostname', '-T', 'web-01'])
    assert.deepEqual([finished.code, finished.stderr], [0, ''])
    assert.equal(spans.length, 2)
    const root = rootOf(spans)
    assert.deepEqual(
      [root.name, root.parentSpanId, root.serviceName, root.status.code],
      ['osapi client node hostname', '', 'osapi-cli', 0],
    )
    assert.deepEqual(root.attributes, {
      'cli.command': 'osapi client node hostname',
      'cli.target': 'web-01',
      'osapi.job.id': jobId,
      'process.exit.code': 0,
    })
    const request = spans.find(({ kind }) => kind === kindClient)
    assert.deepEqual(
      [request?.name, request?.parentSpanId, request?.traceId],
      ['GET', root.spanId, root.traceId],
    )
    assert.equal(request?.attributes['http.response.status_code'], 200)
    // Sampled, and maybe with the flag that says that the id is random.
    const sent = new RegExp(`^00-${root.traceId}-${request?.spanId}-0[13]$`, 'u')
    assert.match(String(server.seen.at(-1)?.headers['traceparent']), sent)
  })

  it('goes on from the environment', async () => {
    const parent = {
      TRACEPARENT: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      TRACESTATE: 'v=1',
    }
    const { spans } = await traced(['client', 'node', 'hostname', 'get', '-T', 'web-01'], parent)
    const root = rootOf(spans)
    assert.deepEqual(
      [root.traceId, root.parentSpanId],
      ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'],
    )
    assert.equal(server.seen.at(-1)?.headers['tracestate'], 'v=1')
  })

  it('is begun anew where the environment has rubbish', async () => {
    const { finished, spans } = await traced(['client', 'node', 'hostname', '-T', 'web-01'], {
      TRACEPARENT: '00-zz',
    })
    assert.equal(finished.code, 0)
    assert.equal(rootOf(spans).parentSpanId, '')
  })

  it('is delivered when the API refuses, with the error', async () => {
    const { finished, spans } = await traced(['client', 'node', 'os'])
    const root = rootOf(spans)
    assert.equal(finished.code, 1)
    assert.match(
      finished.stderr,
      new RegExp(`ERR api error code=500 .* trace_id=${root.traceId} span_id=${root.spanId}`, 'u'),
    )
    assert.deepEqual(root.status, { code: statusError, message: 'job failed: no such file' })
    assert.deepEqual(root.eventNames, ['exception'])
    assert.equal(root.attributes['process.exit.code'], 1)
    assert.equal(spans.length, 2)
  })

  it('is delivered when the API is not there', async () => {
    const { finished, spans } = await traced(['client', '--url', 'http://127.0.0.1:1', 'health'])
    assert.equal(finished.code, 1)
    assert.equal(rootOf(spans).status.code, statusError)
  })

  it('is delivered by commands that ask nobody', async () => {
    const made = await traced(['token', 'generate', '-r', 'read', '-u', 'ada'])
    assert.equal(rootOf(made.spans).name, 'osapi token generate')
  })

  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`is delivered when ${signal} ends the command`, async () => {
      const hanging = new Promise<void>((resolve) => {
        onHang = resolve
      })
      const started = startOsapi(['-f', config, 'client', 'node', 'disk'], otlp(collector.url))
      await hanging
      started.process.kill(signal)
      const finished = await started.finished
      await collector.close()
      assert.deepEqual([finished.code, finished.stdout], [code, ''])
      const root = rootOf(collector.spans)
      assert.deepEqual(
        [root.name, root.status.code, root.attributes['process.exit.code']],
        ['osapi client node disk', statusError, code],
      )
      assert.equal(collector.spans.length, 2)
    })
  }

  it('does not change what a command does when the collector is dead or silent', async () => {
    await collector.close()
    const silent = await startAnswering({ 'POST /v1/traces': { before: () => new Promise(() => {}) } })
    for (const endpoint of ['http://127.0.0.1:1', silent.url]) {
      const finished = await runOsapi(
        ['-f', config, 'client', 'node', 'hostname', '-T', 'web-01'],
        otlp(endpoint),
      )
      assert.equal(finished.code, 0, endpoint)
      assert.match(finished.stdout, /web-01 {4}ok/u)
      const failed = await runOsapi(['-f', config, 'client', 'node', 'os'], otlp(endpoint))
      assert.equal(failed.code, 1, endpoint)
    }
    await silent.close()
  })

  it('is shown by its id with --debug, without any exporter', async () => {
    await collector.close()
    const finished = await runOsapi(['-f', config, 'client', 'node', 'hostname', '-T', 'web-01', '-d'])
    const [, traceId] = /^Trace ID: ([0-9a-f]{32})$/mu.exec(finished.stderr) ?? []
    assert.ok(traceId, finished.stderr)
    assert.match(finished.stderr, new RegExp(`DBG http response .*trace_id=${traceId} span_id=`, 'u'))
    assert.match(server.seen.at(-1)?.headers['traceparent'] as string, new RegExp(`^00-${traceId}-`, 'u'))
  })

  it('is told as a log line with --json, so that stderr stays JSON lines', async () => {
    await collector.close()
    const args = ['-f', config, 'client', 'node', 'hostname', '-T', 'web-01', '-d', '-j']
    const { stderr } = await runOsapi(args)
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.equal(lines.at(-1)?.['msg'], 'trace')
    assert.match(String(lines.at(-1)?.['trace_id']), /^[0-9a-f]{32}$/u)
    assert.equal(lines.at(-1)?.['trace_id'], lines[0]?.['trace_id'])
  })

  it('does not exist when tracing is off', async () => {
    await collector.close()
    const finished = await runOsapi(['-f', config, 'client', 'node', 'os'])
    assert.equal(server.seen.at(-1)?.headers['traceparent'], undefined)
    assert.doesNotMatch(finished.stderr, /trace/iu)
  })

  it('goes to stdout when asked to, with a warning where it mixes with JSON', async () => {
    await collector.close()
    const env = { OSAPI_TELEMETRY_TRACING_ENABLED: 'true', OSAPI_TELEMETRY_TRACING_EXPORTER: 'stdout' }
    const finished = await runOsapi(
      ['-f', config, 'client', 'node', 'hostname', '-T', 'web-01', '--json'],
      env,
    )
    assert.match(finished.stdout, /osapi client node hostname/u)
    assert.match(finished.stderr, /"level":"WARN".*stdout/u)
    assert.equal(finished.code, 0)
  })
})

function otlp(endpoint: string): Record<string, string> {
  return {
    OSAPI_TELEMETRY_TRACING_ENABLED: 'true',
    OSAPI_TELEMETRY_TRACING_EXPORTER: 'otlp',
    OSAPI_TELEMETRY_TRACING_OTLP_ENDPOINT: endpoint,
    OSAPI_TELEMETRY_TRACING_OTLP_PROTOCOL: 'http/protobuf',
  }
}

function rootOf(spans: readonly CollectedSpan[]): CollectedSpan {
  const [root] = spans.filter(({ kind }) => kind === kindInternal)
  assert.ok(root, `no root among ${spans.length} spans`)
  return root
}
