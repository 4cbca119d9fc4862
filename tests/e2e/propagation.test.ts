import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { type AddressInfo, createConnection } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import type { NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { Collector } from '../harness/collector.ts'
import type { ReceivedSpan } from '../harness/official-otlp.ts'
import { Scene } from '../harness/osapi.ts'
import type { Environment, Running } from '../harness/processes.ts'

const newTraceId = (): string => `1${randomBytes(16).toString('hex').slice(1)}`
const newSpanId = (): string => `1${randomBytes(8).toString('hex').slice(1)}`
const validTraceparent = /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/u

/** A PUB with headers, byte for byte as a client of another language writes it. */
async function publishRaw(
  port: number,
  { subject, headers, body }: { subject: string; headers: readonly string[]; body: string },
): Promise<void> {
  const socket = createConnection(port, '127.0.0.1')
  socket.setEncoding('utf8')
  await once(socket, 'data')
  const block = ['NATS/1.0', ...headers, '', ''].join('\r\n')
  const sizes = `${block.length} ${block.length + body.length}`
  socket.write('CONNECT {"headers":true,"verbose":false,"lang":"go","protocol":1}\r\n')
  socket.write(`HPUB ${subject} ${sizes}\r\n${block}${body}\r\nPING\r\n`)
  const [answer] = (await once(socket, 'data')) as [string]
  socket.destroy()
  assert.match(answer, /^PONG/u)
}

function assertChild(child: ReceivedSpan, parent: Pick<ReceivedSpan, 'traceId' | 'spanId'>): void {
  assert.equal(child.traceId, parent.traceId)
  assert.equal(child.parentSpanId, parent.spanId)
}

/** One nats server; traced and untraced API servers and workers around it; a collector that the traced ones export to. */
describe('trace context', () => {
  let scene: Scene
  let collector: Collector
  let nc: NatsConnection
  let tracing: Environment
  const apiPorts = { traced: 0, plain: 0 }
  let traced: Running
  let plain: Running

  before(async () => {
    collector = await Collector.start()
    scene = await Scene.start()
    tracing = {
      OSAPI_TELEMETRY_TRACING_ENABLED: 'true',
      OSAPI_TELEMETRY_TRACING_EXPORTER: 'otlp',
      OSAPI_TELEMETRY_TRACING_OTLP_ENDPOINT: collector.grpcEndpoint,
    }
    await scene.startApi('api-plain')
    apiPorts.plain = scene.apiPort
    await scene.startApi('api-traced', tracing)
    apiPorts.traced = scene.apiPort
    traced = await scene.startWorker({ name: 'traced', env: tracing })
    plain = await scene.startWorker({ name: 'plain' })
    nc = await connect({ servers: `127.0.0.1:${scene.natsPort}` })
  })
  after(async () => {
    await nc?.close()
    await scene?.stop()
    await collector?.stop()
  })

  /** The spans of a trace once the worker's `job.process` and the API's server span have come. */
  async function wholeTrace(
    traceId: string,
  ): Promise<Record<'server' | 'publish' | 'process', ReceivedSpan>> {
    const ofTrace = (name: RegExp) => (span: ReceivedSpan) => span.traceId === traceId && name.test(span.name)
    const [server, publish, process] = await Promise.all([
      collector.until(ofTrace(/^GET \//u)),
      collector.until(ofTrace(/^publish jobs\./u)),
      collector.until(ofTrace(/^job\.process$/u)),
    ])
    return { server, publish, process }
  }

  /** Stores a job as the API does, publishes its id with these headers, and waits for the worker's span. */
  async function processed(headers: readonly string[]): Promise<{ span: ReceivedSpan; id: string }> {
    const id = randomUUID()
    const definition = {
      id,
      status: 'unprocessed',
      created: new Date().toISOString(),
      subject: 'jobs.query.host.traced',
      operation: { type: 'node.uptime.get' },
    }
    nc.publish(`$KV.job-queue.jobs.${id}`, JSON.stringify(definition))
    await nc.flush()
    await publishRaw(scene.natsPort, { subject: 'jobs.query.host.traced', headers, body: id })
    const span = await collector.until(
      ({ name, attributes }) => name === 'job.process' && attributes['job.id'] === id,
    )
    return { span, id }
  }

  describe('from the CLI to the API', () => {
    let requests: { readonly path: string; readonly headers: IncomingHttpHeaders }[] = []
    let echoUrl = ''
    const echo = createServer((request, response) => {
      requests.push({ path: request.url ?? '', headers: request.headers })
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}')
    })

    before(async () => {
      echo.listen(0, '127.0.0.1')
      await once(echo, 'listening')
      echoUrl = `http://127.0.0.1:${(echo.address() as AddressInfo).port}` // A TCP server's address is never a string.
    })
    beforeEach(() => {
      requests = []
    })
    after(() => echo.close())

    it('the CLI sends traceparent on every request, each from a span of its own, and no session id', async () => {
      const { code, stderr } = await scene.cli(['client', 'health', '--debug'], {
        OSAPI_CONTROLLER_CLIENT_URL: echoUrl,
      })
      assert.equal(code, 0, stderr)
      assert.ok(requests.length > 0)
      const traceId = /^Trace ID: ([0-9a-f]{32})$/mu.exec(stderr)?.[1]
      for (const { headers } of requests) {
        assert.match(String(headers['traceparent']), validTraceparent)
        assert.equal(String(headers['traceparent']).split('-')[1], traceId)
        assert.equal(headers['x-session-id'], undefined)
      }
      assert.equal(new Set(requests.map(({ headers }) => headers['traceparent'])).size, requests.length)
    })

    it('TRACEPARENT and TRACESTATE of the environment are continued', async () => {
      const traceId = newTraceId()
      const parent = newSpanId()
      const { code, stderr } = await scene.cli(['client', 'health'], {
        ...tracing,
        OSAPI_CONTROLLER_CLIENT_URL: echoUrl,
        TRACEPARENT: `00-${traceId}-${parent}-01`,
        TRACESTATE: 'vendor=state',
      })
      assert.equal(code, 0, stderr)
      const [, sentTraceId, sentSpanId] = String(requests[0]?.headers['traceparent']).split('-')
      assert.equal(sentTraceId, traceId)
      assert.equal(requests[0]?.headers['tracestate'], 'vendor=state')
      const root = await collector.until((span) => span.traceId === traceId && span.parentSpanId === parent)
      assert.deepEqual([root.name, root.kind, root.service], ['osapi client health', 'INTERNAL', 'osapi-cli'])
      const client = collector.spans.find(({ spanId }) => spanId === sentSpanId)
      assert.ok(client !== undefined)
      assertChild(client, root)
    })

    it('a TRACEPARENT that is none starts a new trace', async () => {
      const { code, stderr } = await scene.cli(['client', 'health', '--debug'], {
        OSAPI_CONTROLLER_CLIENT_URL: echoUrl,
        TRACEPARENT: `00-${'0'.repeat(32)}-${'g'.repeat(16)}-01`,
      })
      assert.equal(code, 0, stderr)
      assert.match(String(requests[0]?.headers['traceparent']), validTraceparent)
      assert.doesNotMatch(String(requests[0]?.headers['traceparent']), /0{32}/u)
    })
  })

  describe('from the API over the stream to the worker', () => {
    it('a request without traceparent starts a trace at the API, and the worker is in it', async () => {
      const response = await scene.request('/node/traced/hostname')
      const traceId = response.headers.get('x-trace-id') ?? ''
      assert.equal(response.status, 200, await response.text())
      const { server, publish, process } = await wholeTrace(traceId)
      assert.equal(server.parentSpanId, '')
      assert.deepEqual([server.name, server.kind], ['GET /api/node/:target/hostname', 'SERVER'])
      assertChild(publish, server)
      assertChild(process, publish)
      assert.deepEqual([publish.service, process.service], ['osapi-api', 'osapi-worker'])
    })

    it('a traceparent that is sent is continued, and job.process is child of and linked to the publish', async () => {
      const sent = { traceId: newTraceId(), spanId: newSpanId() }
      const response = await scene.request('/node/traced/hostname', {
        headers: { traceparent: `00-${sent.traceId}-${sent.spanId}-01` },
      })
      assert.equal(response.status, 200, await response.text())
      const { server, publish, process } = await wholeTrace(sent.traceId)
      assertChild(server, sent)
      assertChild(process, publish)
      assert.deepEqual(process.links, [{ traceId: publish.traceId, spanId: publish.spanId }])
      assert.equal(process.kind, 'CONSUMER')
      for (const key of ['job.id', 'job.category', 'job.operation', 'job.type', 'job.target', 'job.status'])
        assert.equal(typeof process.attributes[key], 'string', key)
      assert.equal(process.attributes['job.operation'], 'hostname.get')
      assert.equal(process.attributes['job.target'], 'traced')
    })

    it('the message on the stream has a valid traceparent, that of the publish span', async () => {
      const subscription = nc.subscribe('jobs.query.host.traced', { max: 1 })
      await nc.flush()
      const response = await scene.request('/node/traced/uptime')
      const traceId = response.headers.get('x-trace-id') ?? ''
      assert.equal(response.status, 200, await response.text())
      const headers: [string, string][] = []
      for await (const message of subscription)
        for (const [name, values] of message.headers ?? []) headers.push([name, values.join()])
      const { publish } = await wholeTrace(traceId)
      const [traceparent] = headers.flatMap(([name, value]) => (name === 'traceparent' ? [value] : []))
      assert.match(traceparent ?? '', validTraceparent)
      assert.deepEqual(traceparent?.split('-').slice(1, 3), [traceId, publish.spanId])
    })

    for (const [what, value] of [
      ['of upper-case ids', `00-${'A'.repeat(32)}-${'B'.repeat(16)}-01`],
      ['of zeros', `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`],
      ['of garbage', 'hello'],
      ['of 12,000 characters', `00-${'a'.repeat(12_000)}`],
    ] as const) {
      it(`a traceparent ${what} starts a new trace`, async () => {
        const response = await scene.request('/node/traced/hostname', { headers: { traceparent: value } })
        const traceId = response.headers.get('x-trace-id') ?? ''
        assert.equal(response.status, 200, await response.text())
        const { server } = await wholeTrace(traceId)
        assert.equal(server.parentSpanId, '')
      })
    }
  })

  it('a traceparent of one megabyte is refused, and the API goes on', async () => {
    const socket = createConnection(apiPorts.traced, '127.0.0.1')
    socket.setEncoding('utf8').on('error', () => {})
    socket.write(
      `GET /api/health HTTP/1.1\r\nhost: api\r\ntraceparent: 00-${'a'.repeat(1024 * 1024)}\r\n\r\n`,
    )
    const [answer] = (await once(socket, 'data')) as [string]
    socket.destroy()
    assert.match(answer, /^HTTP\/1\.1 431 /u)
    const response = await scene.request('/health')
    assert.deepEqual(await response.json(), { status: 'ok' })
  })

  describe('in messages of others', () => {
    it('Traceparent in canonical case, as Go writes it, is continued by the worker', async () => {
      const sent = { traceId: newTraceId(), spanId: newSpanId() }
      const { span } = await processed([
        `Traceparent: 00-${sent.traceId}-${sent.spanId}-01`,
        'Tracestate: go=1',
      ])
      assertChild(span, sent)
      assert.deepEqual(span.links, [sent])
      assert.equal(span.attributes['job.status'], 'completed')
    })

    for (const [what, headers] of [
      ['no context', []],
      ['a malformed traceparent', ['traceparent: 00-not-a-context']],
      ['a traceparent of zeros', [`traceparent: 00-${'0'.repeat(32)}-${'0'.repeat(16)}-01`]],
      ['a traceparent of 60,000 characters', [`traceparent: 00-${'a'.repeat(60_000)}`]],
      ['a traceparent of version ff', [`traceparent: ff-${'a'.repeat(32)}-${'b'.repeat(16)}-01`]],
    ] as const) {
      it(`a message with ${what} starts a new trace, and its job is done`, async () => {
        const { span, id } = await processed(headers)
        assert.equal(span.parentSpanId, '')
        assert.deepEqual(span.links, [])
        assert.equal(span.attributes['job.status'], 'completed')
        const job = (await (await scene.request(`/job/${id}`)).json()) as { status: string; result: unknown }
        assert.equal(job.status, 'completed')
        assert.doesNotMatch(traced.log, new RegExp(`(WRN|ERR) .*${id}`, 'u'))
      })
    }
  })

  describe('between those with and without tracing', () => {
    it('an untraced API and a traced worker: the job is done, the worker starts the trace', async () => {
      const response = await scene.request('/node/traced/hostname', { port: apiPorts.plain })
      assert.equal(response.headers.get('x-trace-id'), null)
      const { job_id: id } = (await response.json()) as { job_id: string }
      assert.equal(response.status, 200)
      const span = await collector.until(
        ({ name, attributes }) => name === 'job.process' && attributes['job.id'] === id,
      )
      assert.equal(span.parentSpanId, '')
    })

    it('a traced API and an untraced worker: the job is done, no id is in the log of the worker', async () => {
      const response = await scene.request('/node/plain/hostname')
      const { job_id: id } = (await response.json()) as { job_id: string }
      assert.equal(response.status, 200)
      await plain.logged(new RegExp(`job processing completed job_id=${id} status=completed$`, 'mu'))
      assert.doesNotMatch(plain.log, /trace_id|span_id/u)
    })

    it('an untraced API passes the context of its client on to the worker, with and without a body', async () => {
      const sent = { traceId: newTraceId(), spanId: newSpanId() }
      const headers = { traceparent: `00-${sent.traceId}-${sent.spanId}-01` }
      const response = await scene.request('/node/traced/hostname', { headers, port: apiPorts.plain })
      assert.equal(response.status, 200, await response.text())
      const span = await collector.until(
        ({ name, traceId }) => name === 'job.process' && traceId === sent.traceId,
      )
      assertChild(span, sent)
      assert.equal(response.headers.get('x-trace-id'), null)

      const other = { traceId: newTraceId(), spanId: newSpanId() }
      const body = { command: 'true' }
      const posted = await scene.request('/node/traced/command/exec', {
        method: 'POST',
        body,
        headers: { traceparent: `00-${other.traceId}-${other.spanId}-01` },
        port: apiPorts.plain,
      })
      assert.equal(posted.status, 202, await posted.text())
      const second = await collector.until(
        ({ name, traceId }) => name === 'job.process' && traceId === other.traceId,
      )
      assertChild(second, other)
    })

    it('an untraced CLI passes TRACEPARENT on to the API', async () => {
      const sent = { traceId: newTraceId(), spanId: newSpanId() }
      const environment = { TRACEPARENT: `00-${sent.traceId}-${sent.spanId}-01` }
      const { code, stderr } = await scene.cli(
        ['client', 'node', 'hostname', '--target', 'traced'],
        environment,
      )
      assert.deepEqual([code, stderr], [0, ''])
      const { server } = await wholeTrace(sent.traceId)
      assertChild(server, sent)
    })
  })

  it('an unsampled parent: its id is in the logs of API and worker, and nothing of it is exported', async () => {
    const unsampled = newTraceId()
    const headers = { traceparent: `00-${unsampled}-${newSpanId()}-00` }
    const response = await scene.request('/node/traced/hostname', { headers })
    assert.equal(response.status, 200, await response.text())
    await traced.logged(new RegExp(`job processing completed .*trace_id=${unsampled} span_id=`, 'u'))
    // What was ended before the next trace would have been exported before it: one queue per process.
    const next = await scene.request('/node/traced/hostname')
    await next.arrayBuffer()
    await wholeTrace(next.headers.get('x-trace-id') ?? '')
    assert.deepEqual(collector.spansOf(unsampled), [])
  })
})
