import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, get, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, test } from 'node:test'
import { context, isSpanContextValid, propagation, trace } from '@opentelemetry/api'
import { decodeTraces } from '@throughline/otlp'
import { TracingConfigError } from './config-error.ts'
import { type InitTracerOptions, initTracer, type Tracing } from './init-tracer.ts'
import { version } from './version.ts'

let started: Tracing | undefined

/** Starts tracing apart from the environment that the tests run in; stopped after each test. */
function start(options: InitTracerOptions = {}): Tracing {
  started = initTracer('greeter', { env: {}, ...options })
  return started
}

afterEach(async () => {
  await started?.shutdown()
  started = undefined
})

/** An OTLP receiver on a real socket that keeps what it is sent. */
async function receiver() {
  const bodies: Buffer[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      bodies.push(Buffer.concat(chunks))
      response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const requests = () => bodies.map((body) => decodeTraces(body))
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

test('off: no provider, no context, no propagation, no account', async () => {
  for (const options of [{ enabled: false }, { env: { OTEL_SDK_DISABLED: 'true' } }]) {
    const tracing = start(options)
    assert.equal(tracing.enabled, false)
    assert.equal(tracing.ledger(), undefined)
    trace.getTracer('x').startActiveSpan('a', (span) => {
      assert.equal(isSpanContextValid(span.spanContext()), false)
      assert.equal(trace.getActiveSpan(), undefined)
    })
    assert.deepEqual(propagation.fields(), [])
    await tracing.shutdown()
  }
})

test('on with nothing else said: ids in the active context, nothing exported', () => {
  const tracing = start()
  assert.equal(tracing.enabled, true)
  assert.equal(tracing.ledger(), undefined)
  trace.getTracer('x').startActiveSpan('a', (span) => {
    assert.ok(isSpanContextValid(span.spanContext()))
    assert.equal(trace.getActiveSpan(), span)
    const carrier: Record<string, string> = {}
    propagation.inject(context.active(), carrier)
    assert.match(carrier['traceparent'] ?? '', new RegExp(span.spanContext().traceId))
    span.end()
  })
})

test('an endpoint is enough: spans arrive there with the resource, and the account closes', async (t) => {
  const collector = await receiver()
  t.after(() => collector.close())
  // The receiver stands in this process too; its own server spans are not what this is about.
  const tracing = start({
    http: false,
    otlpEndpoint: collector.url,
    serviceVersion: '1.2.3',
    resource: { zone: 'a' },
  })
  trace.getTracer('x').startSpan('one').end()
  await tracing.forceFlush()
  assert.deepEqual(tracing.ledger(), { ended: 1, delivered: 1, pending: 0, spooled: 0, dropped: {} })
  const [request] = collector.requests()
  assert.ok(request !== undefined && !('error' in request))
  const text = JSON.stringify(request, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  for (const part of ['"one"', 'service.name', 'greeter', 'service.version', '1.2.3', 'zone', 'process.pid'])
    assert.ok(text.includes(part), `${part} in ${text}`)
})

/** The names of the spans that one request of this process to itself leaves behind. */
async function spanNamesOfOneRequest(http: InitTracerOptions['http']): Promise<string[]> {
  const ended: string[] = []
  const exporter = {
    export(spans: { name: string }[], done: (result: { code: number }) => void) {
      ended.push(...spans.map((span) => span.name))
      done({ code: 0 })
    },
    shutdown: () => Promise.resolve(),
  }
  const tracing = start({ http, spanExporters: [exporter] })
  const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const [response] = (await once(
    get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }),
    'response',
  )) as [IncomingMessage]
  response.resume()
  await once(response, 'close')
  server.close()
  await tracing.forceFlush()
  await tracing.shutdown()
  return ended
}

test('spans for node:http come with it, and can be left out', async () => {
  assert.deepEqual(await spanNamesOfOneRequest({}), ['GET', 'GET'])
  assert.deepEqual(await spanNamesOfOneRequest(false), [])
})

test('a second call changes nothing while tracing is on, and starts anew after shutdown', async () => {
  const first = start()
  assert.equal(initTracer('other', { env: {} }), first)
  await first.shutdown()
  assert.notEqual(start(), first)
})

test('values that cannot be used stop the start, name key, value and what is allowed, and leave nothing behind', () => {
  const refused: [InitTracerOptions, RegExp][] = [
    [
      { exporter: 'zipkin' as 'otlp' },
      /^option exporter: "zipkin" is not valid; allowed: none, stdout, otlp$/,
    ],
    [{ env: { OTEL_TRACES_EXPORTER: 'otlp,jaeger' } }, /^OTEL_TRACES_EXPORTER: "jaeger" is not valid/],
    [{ sampler: 'sometimes' }, /^option sampler: "sometimes" is not valid/],
    [
      { propagators: ['b3' as 'none'] },
      /^option propagators: "b3" is not valid; allowed: tracecontext, baggage, none$/,
    ],
    [{ env: { OTEL_PROPAGATORS: 'tracecontext,b3' } }, /^OTEL_PROPAGATORS: "b3" is not valid/],
    [{ env: { OTEL_SPAN_EVENT_COUNT_LIMIT: '-1' } }, /^OTEL_SPAN_EVENT_COUNT_LIMIT: "-1" is not valid/],
    [{ otlpEndpoint: 'localhost:1', otlpHeaders: { 'bad name': 'x' } }, /bad name/],
    [
      { http: { errorStatusFrom: 99 } },
      /^option http\.errorStatusFrom: got 99; allowed: an integer from 100 /,
    ],
    [{ env: { OTEL_RESOURCE_ATTRIBUTES: 'zone' } }, /^OTEL_RESOURCE_ATTRIBUTES: /],
  ]
  for (const [options, message] of refused) {
    assert.throws(
      () => start(options),
      (error) => error instanceof TracingConfigError && message.test(error.message),
      message.source,
    )
    assert.equal(isSpanContextValid(trace.getTracer('x').startSpan('a').spanContext()), false)
  }
})

test('the resource: names of the environment beat the name in code, attributes in code beat both', async () => {
  const resources: unknown[] = []
  const exporter = {
    export(spans: { resource: { attributes: unknown } }[], done: (result: { code: number }) => void) {
      resources.push(...spans.map((span) => span.resource.attributes))
      done({ code: 0 })
    },
    shutdown: () => Promise.resolve(),
  }
  const env = { OTEL_SERVICE_NAME: 'renamed', OTEL_RESOURCE_ATTRIBUTES: 'service.name=attribute,zone=a%2Cb' }
  for (const resource of [{}, { 'service.name': 'fixed' }]) {
    const tracing = start({ env, resource, spanExporters: [exporter] })
    trace.getTracer('x').startSpan('a').end()
    await tracing.forceFlush()
    await tracing.shutdown()
  }
  const [renamed, fixed] = resources as Record<string, unknown>[]
  assert.equal(renamed?.['service.name'], 'renamed')
  assert.equal(renamed?.['zone'], 'a,b')
  assert.equal(renamed?.['process.pid'], process.pid)
  assert.equal(fixed?.['service.name'], 'fixed')
})

test('the version in the code is that of package.json', () => {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  assert.equal(version, (JSON.parse(manifest) as { version: string }).version)
})

test('stdout: each span as JSON on file descriptor 1, beside OTLP or alone', async () => {
  const program = `
    import { trace } from '@opentelemetry/api'
    import { initTracer } from ${JSON.stringify(new URL('./index.js', import.meta.url).href)}
    initTracer('printer', { stdout: true })
    trace.getTracer('x').startSpan('printed', { attributes: { 'job.id': '7' } }).end()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [text, [code]] = await Promise.all([child.stdout.toArray(), once(child, 'exit')])
  assert.equal(code, 0)
  const span = JSON.parse(text.join('')) as { name: string; attributes: object; resource: object }
  assert.equal(span.name, 'printed')
  assert.deepEqual(span.attributes, { 'job.id': '7' })
  assert.match(JSON.stringify(span.resource), /"service\.name":"printer"/)
})

test('a refused collector holds up shutdown until the first attempt has failed, when it is told not to retry', async () => {
  const lines: string[] = []
  const tracing = start({
    otlpEndpoint: '127.0.0.1:1',
    eagerExport: true,
    diagnostics: (line) => lines.push(line),
  })
  trace.getTracer('x').startSpan('lost').end()
  await tracing.shutdown({ timeoutMs: 60_000, retry: false })
  assert.deepEqual(tracing.ledger(), {
    ended: 1,
    delivered: 0,
    pending: 0,
    spooled: 0,
    dropped: { shutdown_timeout: 1 },
  })
  assert.match(lines[0] ?? '', /ECONNREFUSED 127\.0\.0\.1:1/)
})

test('a wrong spool option names itself, and a folder that cannot be written stops nothing', async (t) => {
  const wrongMode = { dir: 'x', mode: 'never' } as unknown as { dir: string }
  assert.throws(
    () => initTracer('svc', { otlpEndpoint: 'http://127.0.0.1:1', spool: wrongMode, env: {} }),
    /spool\.mode "never" must be one of: off, on-failure, always/,
  )
  const said: string[] = []
  const tracing = initTracer('svc', {
    otlpEndpoint: 'http://127.0.0.1:1',
    spool: { dir: '/dev/null/spool', mode: 'always' },
    diagnostics: (message) => said.push(message),
    http: false,
    env: {},
  })
  t.after(() => tracing.shutdown())
  tracing.provider.getTracer('t').startSpan('s').end()
  await tracing.shutdown()
  assert.deepEqual(tracing.ledger()?.dropped, { shutdown_timeout: 1 })
  assert.match(said.join('\n'), /cannot write to the spool \/dev\/null\/spool\/traces: ENOTDIR/)
})
