import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { Collector } from '../harness/collector.ts'
import { Scene } from '../harness/osapi.ts'
import type { Environment, Finished, Running } from '../harness/processes.ts'

// What each exporter does with a collector that refuses, hangs, resets, speaks TLS or asks for keys is tested in
// packages/exporter. Here is what a user of `osapi` gets from each setting.

/** The settings of `telemetry.tracing`, as the environment has them. */
function tracing(settings: Readonly<Record<string, string>>): Environment {
  const entries = Object.entries({ enabled: 'true', ...settings })
  return Object.fromEntries(
    entries.map(([key, value]) => [`OSAPI_TELEMETRY_TRACING_${key.toUpperCase()}`, value]),
  )
}

const command = ['client', 'node', 'uptime'] as const

/** Job ids and the time that passes differ between two runs of the command. */
const comparable = ({ code, stdout, stderr }: Finished) => ({
  code,
  stderr,
  stdout: stdout.replace(/Job ID: \S+/u, 'Job ID').replace(/\d+ (day|hour|minute)s?[^\n]*/u, 'UPTIME'),
})

describe('exporters', () => {
  let scene: Scene
  let collector: Collector
  let processes: readonly Running[]
  /** The command without tracing. */
  let untraced: Finished

  before(async () => {
    collector = await Collector.start()
    scene = await Scene.start()
    processes = [scene.nats, await scene.startApi(), await scene.startWorker({ name: 'web-01' })]
    untraced = await scene.cli(command)
    assert.equal(untraced.code, 0, untraced.stderr)
  })
  after(async () => {
    await scene?.stop()
    await collector?.stop()
  })

  /** What arrived is one trace: the root of the command, and the client span of its request under it. */
  function assertTwoSpans(service: string): void {
    const spans = collector.spans.splice(0)
    const root = spans.find(({ kind }) => kind === 'INTERNAL')
    const client = spans.find(({ kind }) => kind === 'CLIENT')
    assert.ok(spans.length === 2 && root !== undefined && client !== undefined, JSON.stringify(spans.length))
    assert.deepEqual(
      { name: root.name, parent: root.parentSpanId, service: root.service },
      { name: 'osapi client node uptime', parent: '', service },
    )
    assert.deepEqual([client.name, client.parentSpanId, client.traceId], ['GET', root.spanId, root.traceId])
    assert.equal(client.attributes['http.response.status_code'], '200')
    assert.ok(root.startUnixNano <= client.startUnixNano && client.endUnixNano <= root.endUnixNano)
    assert.ok(Math.abs(Number(root.endUnixNano / 1_000_000n) - Date.now()) < 60_000, 'times are times of day')
  }

  it('a configuration file without a telemetry section works, with tracing off', () => {
    assert.doesNotMatch(readFileSync(scene.configPath, 'utf8'), /telemetry/u)
    assert.deepEqual([untraced.code, untraced.stderr], [0, ''])
    for (const { log } of processes) assert.doesNotMatch(log, /trace_id|span_id/u)
  })

  it('otlp sends by gRPC to host:port, and the official .proto files decode it', async () => {
    const run = await scene.cli(command, tracing({ exporter: 'otlp', otlp_endpoint: collector.grpcEndpoint }))
    assert.deepEqual(comparable(run), comparable(untraced))
    assertTwoSpans('osapi-cli')
    assert.ok(collector.grpcMetadata.length > 0)
    assert.equal(collector.httpRequests.length, 0)
  })

  it('otlp with otlp_protocol http/protobuf posts to /v1/traces, with the headers that are set', async () => {
    const run = await scene.cli(
      command,
      tracing({
        exporter: 'otlp',
        otlp_endpoint: collector.httpEndpoint,
        otlp_protocol: 'http/protobuf',
        otlp_headers: 'x-api-key=secret',
      }),
    )
    assert.deepEqual(comparable(run), comparable(untraced))
    assertTwoSpans('osapi-cli')
    for (const { path, headers } of collector.httpRequests) {
      assert.equal(path, '/v1/traces')
      assert.equal(headers['content-type'], 'application/x-protobuf')
      assert.equal(headers['x-api-key'], 'secret')
    }
    assert.ok(collector.httpRequests.length > 0)
  })

  it('stdout prints raw OpenTelemetry span JSON on stdout, beside the data, and nothing on stderr', async () => {
    const { code, stdout, stderr } = await scene.cli(command, tracing({ exporter: 'stdout' }))
    assert.deepEqual([code, stderr], [0, ''])
    const texts = stdout.match(/^\{\n[\s\S]*?^\}$/gmu) ?? []
    const spans = texts.map((text) => JSON.parse(text) as Record<string, unknown>)
    assert.deepEqual(
      spans.map(({ name, kind }) => [name, kind]),
      [
        ['GET', 2],
        ['osapi client node uptime', 0],
      ],
    )
    const [client, root] = spans
    assert.match(String(root?.['traceId']), /^[0-9a-f]{32}$/u)
    assert.equal(client?.['traceId'], root?.['traceId'])
    assert.equal(client?.['parentId'], root?.['id'])
    assert.equal(root?.['parentId'], undefined)
    for (const key of ['timestamp', 'duration', 'attributes', 'status', 'events', 'links', 'resource'])
      assert.ok(root?.[key] !== undefined, key)
    assert.match(stdout, /HOSTNAME +STATUS +UPTIME/u)
  })

  it('stdout together with --json is warned about', async () => {
    const { code, stderr } = await scene.cli([...command, '--json'], tracing({ exporter: 'stdout' }))
    assert.equal(code, 0)
    const [line = '{}'] = stderr.split('\n')
    const { level, msg } = JSON.parse(line) as { level: string; msg: string }
    assert.deepEqual(
      [level, msg],
      ['WARN', 'tracing exporter stdout writes its spans between the JSON data on stdout'],
    )
  })

  for (const exporter of ['none', '']) {
    it(`exporter ${JSON.stringify(exporter)}: ids in the logs, no span exported, also with an endpoint`, async () => {
      const settings = { exporter, otlp_endpoint: collector.grpcEndpoint }
      const run = await scene.cli([...command, '--debug'], tracing(settings))
      assert.equal(run.code, 0)
      assert.match(run.stderr, / trace_id=[0-9a-f]{32} span_id=[0-9a-f]{16}$/mu)
      assert.deepEqual(comparable({ ...run, stderr: '' }), comparable(untraced))
      assert.equal(collector.spans.length, 0)
    })
  }

  it('--debug does not turn an exporter on', async () => {
    const { stdout } = await scene.cli([...command, '--debug'])
    assert.doesNotMatch(stdout, /traceId/u)
    assert.equal(collector.spans.length, 0)
  })

  it('an unknown exporter is refused by every process, with its name and what is allowed', async () => {
    const env = tracing({ exporter: 'zipkin' })
    const starts = [
      command,
      ['api', 'server', 'start'],
      ['job', 'worker', 'start'],
      ['nats', 'server', 'start'],
    ]
    const runs = await Promise.all(starts.map((args) => scene.cli(args, env)))
    for (const { code, stdout, stderr } of runs) {
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, /unsupported tracing exporter: \\?"zipkin\\?".*allowed: none, stdout, otlp/u)
    }
  })

  describe('a collector that does not answer', () => {
    const servers: Server[] = []
    after(() => {
      for (const server of servers) server.close()
    })

    async function startSilent(onConnection: 'hang' | 'reset'): Promise<string> {
      const server = createServer((socket) => {
        socket.on('error', () => {})
        if (onConnection === 'reset') socket.resetAndDestroy()
        else socket.unref()
      })
      servers.push(server)
      server.listen(0, '127.0.0.1').unref()
      await once(server, 'listening')
      return `127.0.0.1:${(server.address() as AddressInfo).port}` // A TCP server's address is never a string.
    }

    /** One second is what the end of a command gives the exporter; the rest is for a busy machine. */
    const delayMsMax = 10_000

    for (const what of ['refuses', 'hangs', 'resets'] as const) {
      it(`that ${what} changes neither exit code nor data, and delays the end by a limit`, async () => {
        const endpoint =
          what === 'refuses' ? '127.0.0.1:1' : await startSilent(what === 'hangs' ? 'hang' : 'reset')
        const run = await scene.cli(command, tracing({ exporter: 'otlp', otlp_endpoint: endpoint }))
        assert.deepEqual(comparable({ ...run, stderr: '' }), comparable(untraced))
        assert.ok(run.durationMs < untraced.durationMs + delayMsMax, `${run.durationMs} ms`)
        // Nothing is lost silently: the one line that is said is about the spans.
        assert.match(run.stderr, /spans?/u)
      })
    }

    it('a failed command keeps its own exit code and text with a dead collector', async () => {
      const failing = ['client', 'job', 'get', '--job-id', '00000000-0000-4000-8000-000000000000']
      const run = await scene.cli(failing, tracing({ exporter: 'otlp', otlp_endpoint: '127.0.0.1:1' }))
      assert.equal(run.code, 1)
      assert.match(run.stderr, /ERR api error code=404 error="job not found: 00000000/u)
    })
  })

  it('the spans of a failed command are exported, the root with its error and exit code', async () => {
    const failing = ['client', 'job', 'get', '--job-id', '00000000-0000-4000-8000-000000000000']
    const run = await scene.cli(failing, tracing({ exporter: 'otlp', otlp_endpoint: collector.grpcEndpoint }))
    assert.equal(run.code, 1)
    const root = collector.spans.splice(0).find(({ kind }) => kind === 'INTERNAL')
    assert.equal(root?.statusCode, 2)
    assert.equal(root?.attributes['process.exit.code'], '1')
  })

  it('one command leaves one trace id, under the service names of CLI, API server and worker', async () => {
    const env = tracing({ exporter: 'otlp', otlp_endpoint: collector.grpcEndpoint })
    const api = await scene.startApi('api-traced', env)
    const worker = await scene.startWorker({ name: 'web-02', env })
    const { code, stderr } = await scene.cli(['client', 'node', 'uptime', '--target', '_all'], env)
    assert.equal(code, 0, stderr)
    await collector.until(({ name }) => name === 'job.process')
    // Both export what they have before they end.
    await Promise.all([api.stop(), worker.stop()])
    const spans = collector.spans.splice(0)
    assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1)
    const resources = new Map(spans.map(({ service, resource }) => [service, resource]))
    assert.deepEqual([...resources.keys()].toSorted(), ['osapi-api', 'osapi-cli', 'osapi-worker'])
    for (const resource of resources.values())
      for (const key of ['service.version', 'host.name', 'process.pid'])
        assert.ok(resource[key] !== undefined, key)
    assert.equal(resources.get('osapi-worker')?.['process.pid'], String(worker.pid))
  })
})
