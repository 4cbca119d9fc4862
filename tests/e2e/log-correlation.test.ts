import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connect } from '@nats-io/transport-node'
import { Scene } from '../harness/osapi.ts'
import type { Finished, Running } from '../harness/processes.ts'

type WholeScene = Awaited<ReturnType<typeof Scene.startWhole>>

const jobId = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const anyId = /(trace_id|span_id)/u

/** What `grep -h trace_id=<hex> *.log` says, line by line. */
function grep(scene: Scene, traceId: string): string[] {
  const logs = readdirSync(scene.dir).filter((name) => name.endsWith('.log'))
  const { stdout, stderr } = spawnSync('grep', ['-h', `trace_id=${traceId}`, ...logs], {
    cwd: scene.dir,
    encoding: 'utf8',
  })
  assert.equal(stderr, '')
  return stdout.trimEnd().split('\n')
}

interface Flow {
  readonly command: Finished
  readonly traceId: string
}

/** `osapi client node hostname`, its stderr kept as cli.log beside the other logs; the trace id is the worker's. */
async function nodeHostname(scene: WholeScene, flags: readonly string[]): Promise<Flow> {
  const command = await scene.cli(['client', 'node', 'hostname', ...flags])
  assert.equal(command.code, 0, command.stderr)
  writeFileSync(join(scene.dir, 'cli.log'), command.stderr)
  const [, traceId = ''] = await scene.worker.logged(
    /INF job processing completed .*trace_id=([0-9a-f]{32})/u,
  )
  await scene.api.logged(new RegExp(`INF request .*trace_id=${traceId}`, 'u'))
  return { command, traceId }
}

/** Requirements 39 and 40: the four lines, word for word, with the ids that belong together. */
function assertFourLines(lines: readonly string[], traceId: string): void {
  const found = (message: string, fields: string) => {
    const pattern = new RegExp(
      `^\\d{1,2}:\\d\\d[AP]M INF ${message} ${fields} trace_id=${traceId} span_id=([0-9a-f]{16})$`,
      'u',
    )
    const matches = lines.flatMap((line) => pattern.exec(line) ?? [])
    assert.equal(matches.length, 3, `one line "${message}" in\n${lines.join('\n')}`)
    const [, id = '', spanId = ''] = matches
    return { jobId: id, spanId }
  }
  const id = `job_id=(${jobId})`
  const published = found(
    'publishing job request',
    `component=job\\.client ${id} subject=jobs\\.query\\._any type=node\\.hostname\\.get`,
  )
  const received = found('received job response', `component=job\\.client ${id} status=completed`)
  const processing = found(
    'processing job',
    `${id} type=node\\.hostname\\.get category=node operation=hostname\\.get`,
  )
  const completed = found('job processing completed', `${id} status=completed`)
  assert.deepEqual(received, published, 'both lines of the API have one span and one job')
  assert.deepEqual(completed, processing, 'both lines of the worker have one span and one job')
  assert.equal(processing.jobId, published.jobId)
  assert.notEqual(processing.spanId, published.spanId)
}

/** Lines without ids are those outside of any span: no id is ever empty, zero or alone. */
function assertIdsAreWhole(log: string): void {
  for (const line of log.split('\n').filter((text) => anyId.test(text)))
    assert.match(line, / trace_id=(?!0{32})[0-9a-f]{32} span_id=(?!0{16})[0-9a-f]{16}$/u)
}

/** Counts the connections that anybody makes to a port of this machine. */
async function startListener() {
  const server = createTcpServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  let connectionCount = 0
  server.on('connection', () => {
    connectionCount += 1
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // A TCP server's address is never a string.
  return {
    endpoint: `127.0.0.1:${port}`,
    connections: () => connectionCount,
    connected: async () => {
      if (connectionCount === 0) await once(server, 'connection')
    },
    stop: () => server.close(),
  }
}

/** The threads of a process, as Linux counts them. */
function threadsOf({ pid }: Running): number {
  return readdirSync(`/proc/${pid}/task`).length
}

describe('three processes with --debug and no telemetry configuration', () => {
  let scene: WholeScene
  let flow: Flow

  before(async () => {
    scene = await Scene.startWhole({ flags: ['--debug'] })
    flow = await nodeHostname(scene, ['--debug'])
  })
  after(() => scene.stop())

  it('grep over the log files gives the four lines, under one trace id', () => {
    assertFourLines(grep(scene, flow.traceId), flow.traceId)
  })

  it('the CLI logs its part and tells the trace id', () => {
    const { stderr, stdout } = flow.command
    assert.match(
      stderr,
      new RegExp(`DBG http response method=GET .* trace_id=${flow.traceId} span_id=[0-9a-f]{16}\n`, 'u'),
    )
    assert.match(stderr, new RegExp(`^Trace ID: ${flow.traceId}$`, 'mu'))
    assert.doesNotMatch(stdout, anyId)
  })

  it('lines inside a span carry both ids, lines outside carry neither', () => {
    for (const part of [scene.api, scene.worker, scene.nats]) assertIdsAreWhole(part.log)
    assert.doesNotMatch(scene.nats.log, anyId)
    assert.match(scene.worker.log, / INF starting node agent$/mu)
    assert.match(scene.api.log, / INF api server started successfully$/mu)
  })

  it('prints no span anywhere, and nothing but data on stdout', () => {
    assert.deepEqual([scene.api.stdout, scene.worker.stdout, scene.nats.stdout], ['', '', ''])
    for (const part of [scene.api, scene.worker]) assert.doesNotMatch(part.log, /"traceId"|"parentId"/u)
    assert.match(flow.command.stdout, /^\n {2}Job ID: .*\n\n {2}HOSTNAME +STATUS\n {2}\S+ +ok\n/u)
  })

  it('lines that no call gave ids carry them: debug lines of provider and job store too', async () => {
    const lines = grep(scene, flow.traceId)
    for (const message of ['DBG executing ', 'DBG dispatching to provider', 'DBG kv.put'])
      assert.ok(
        lines.some((line) => line.includes(message)),
        message,
      )
  })
})

describe('three processes with telemetry.tracing.enabled: true', () => {
  let scene: WholeScene

  before(async () => {
    scene = await Scene.startWhole({ tracing: { enabled: true } })
  })
  after(() => scene.stop())

  it('grep over the log files gives the same four lines, and no debug line', async () => {
    const { traceId, command } = await nodeHostname(scene, [])
    const lines = grep(scene, traceId)
    assertFourLines(lines, traceId)
    assert.deepEqual(
      lines.filter((line) => line.includes(' DBG ')),
      [],
    )
    assert.equal(command.stderr, '')
  })

  it('the lines are those of an untraced worker: spans make no lines of their own', () => {
    const lines = scene.worker.log.trimEnd().split('\n')
    const started = lines.findIndex((line) => line.includes('node agent started successfully'))
    const messages = lines
      .slice(started + 1)
      .map((line) => / INF ([a-z ]+[a-z])(?: [a-z_]+=|$)/u.exec(line)?.[1])
    assert.deepEqual(messages, ['received job notification', 'processing job', 'job processing completed'])
  })
})

describe('tracing off, with an OTLP exporter declared', () => {
  let scene: WholeScene
  let listener: Awaited<ReturnType<typeof startListener>>
  let threadsOff: { readonly api: number; readonly worker: number }
  const messages: { subject: string; data: string; headerNames: string[] }[] = []

  before(async () => {
    listener = await startListener()
    scene = await Scene.startWhole({
      tracing: { enabled: false, exporter: 'otlp', otlp_endpoint: listener.endpoint },
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: `http://${listener.endpoint}` },
    })
    const nc = await connect({ servers: `127.0.0.1:${scene.natsPort}` })
    const subscription = nc.subscribe('jobs.>')
    await nc.flush()
    const command = await scene.cli(['client', 'node', 'hostname'])
    assert.deepEqual([command.code, command.stderr], [0, ''])
    await scene.worker.logged(/INF job processing completed/u)
    await scene.api.logged(/INF request method=GET path=\/api\/node/u)
    for await (const message of subscription) {
      messages.push({
        subject: message.subject,
        data: message.string(),
        headerNames: (message.headers?.keys() ?? []).map((name) => name.toLowerCase()),
      })
      break
    }
    await nc.close()
    threadsOff = { api: threadsOf(scene.api), worker: threadsOf(scene.worker) }
  })
  after(async () => {
    await scene.stop()
    listener.stop()
  })

  it('no id is in any log, while the lines themselves are there', () => {
    for (const part of [scene.nats, scene.api, scene.worker]) assert.doesNotMatch(part.log, anyId)
    assert.match(scene.api.log, / INF publishing job request component=job\.client job_id=/u)
    assert.match(scene.worker.log, / INF job processing completed job_id=.* status=completed$/mu)
  })

  it('the message of the job carries its id and no trace context', () => {
    const [message] = messages
    assert.match(message?.data ?? '', new RegExp(`^${jobId}$`, 'u'))
    assert.deepEqual(
      message?.headerNames.filter((name) => /^(traceparent|tracestate|baggage)$/u.test(name)),
      [],
    )
  })

  it('the CLI sends no trace context and no session id', async () => {
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo // A TCP server's address is never a string.
    const seen: string[] = []
    server.on('request', ({ headers }) => seen.push(...Object.keys(headers)))
    await scene.cli(['client', 'health'], { OSAPI_CONTROLLER_CLIENT_URL: `http://127.0.0.1:${port}` })
    server.close()
    assert.ok(seen.includes('authorization'), seen.join())
    assert.deepEqual(
      seen.filter((name) => /^(traceparent|tracestate|baggage|x-session-id)$/u.test(name)),
      [],
    )
  })

  it('job ids are in the answer and job get works with them', async () => {
    const added = await scene.cli(['client', 'node', 'hostname', '--json'])
    const id = (JSON.parse(added.stdout) as { job_id: string }).job_id
    const got = await scene.cli(['client', 'job', 'get', '--job-id', id])
    assert.equal(got.code, 0, got.stderr)
    assert.match(got.stdout, new RegExp(`Job ID: ${id}`, 'u'))
    assert.match(got.stdout, /Status: completed/u)
  })

  it('no answer has a trace id in its headers', async () => {
    const response = await scene.request('/node/_any/hostname')
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('x-trace-id'), null)
    await response.arrayBuffer()
  })

  it('nobody connects to the declared collector, and only an exporting process has a thread more', async () => {
    const api = await scene.startApi('api-exporting', { OSAPI_TELEMETRY_TRACING_ENABLED: 'true' })
    const worker = await scene.startWorker({
      name: 'web-02',
      env: { OSAPI_TELEMETRY_TRACING_ENABLED: 'true', OSAPI_TELEMETRY_TRACING_EXPORTER: 'none' },
    })
    assert.equal(listener.connections(), 0)
    const response = await scene.request('/node/web-02/hostname')
    assert.equal(response.status, 200, await response.text())
    await worker.logged(/job processing completed .*trace_id=/u)
    await listener.connected()
    assert.ok(threadsOf(api) > threadsOff.api, 'the exporting API has its export thread')
    assert.equal(threadsOf(worker), threadsOff.worker, 'ids without an exporter need no thread')
  })
})
