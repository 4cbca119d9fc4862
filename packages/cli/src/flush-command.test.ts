import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('./bin.js', import.meta.url))

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function runNode(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OTEL|THROUGHLINE)_/.test(name))
  const child = spawn(process.execPath, args, { env: { ...Object.fromEntries(inherited), ...env } })
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code, stdout, stderr }
}

const flush = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> =>
  runNode([bin, 'flush', ...args], env)

function newDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'flush-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A program that ends with two spans that nobody took. */
async function leaveSpans(dir: string): Promise<void> {
  const program = `
    import { initTracer } from '@throughline/node'
    import { trace } from '@opentelemetry/api'
    initTracer('shop', { otlpEndpoint: 'http://127.0.0.1:1', spool: { dir: ${JSON.stringify(dir)} }, env: {} })
    for (const name of ['a', 'b']) trace.getTracer('t').startSpan(name).end()
    process.exit()`
  const from = fileURLToPath(new URL('.', import.meta.url))
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: from,
    stdio: 'inherit',
  })
  assert.deepEqual(await once(child, 'exit'), [0, null])
}

async function startCollector(t: TestContext): Promise<{ url: string; requests: IncomingHttpHeaders[] }> {
  const requests: IncomingHttpHeaders[] = []
  const server = createServer((request, response) => {
    requests.push(request.headers)
    request
      .resume()
      .on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close().closeAllConnections())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests }
}

describe('throughline flush', () => {
  it('delivers what programs have left, and says whose it was', async (t) => {
    const collector = await startCollector(t)
    const dir = newDir(t)
    await leaveSpans(dir)
    await leaveSpans(dir)
    const { code, stdout, stderr } = await flush(['--dir', dir, '--endpoint', collector.url])
    assert.deepEqual([code, stderr], [0, ''])
    const lines = stdout.trimEnd().split('\n')
    assert.equal(lines.length, 3)
    for (const line of lines.slice(0, 2))
      assert.match(line, /^traces: 2 spans of shop, process \d+ on .+, which ended by exit code 0$/)
    assert.equal(lines[2], `traces: 4 spans in 2 records delivered to ${collector.url}/v1/traces, 0 left`)
    assert.deepEqual(readdirSync(join(dir, 'traces')), [])
    const again = await flush(['--dir', dir, '--endpoint', collector.url])
    assert.deepEqual(again, {
      code: 0,
      stdout: `traces: 0 spans in 0 records delivered to ${collector.url}/v1/traces, 0 left\n`,
      stderr: '',
    })
  })

  it('is told by the environment too, headers among it', async (t) => {
    const collector = await startCollector(t)
    const dir = newDir(t)
    await leaveSpans(dir)
    const { code } = await flush([], {
      THROUGHLINE_SPOOL_DIR: dir,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'x-api-key=secret',
    })
    assert.equal(code, 0)
    assert.deepEqual(
      collector.requests.map((headers) => headers['x-api-key']),
      ['secret'],
    )
  })

  it('ends with 1 when something is left, and says why', async (t) => {
    const dir = newDir(t)
    await leaveSpans(dir)
    const nowhere = ['--endpoint', 'http://user:pw@127.0.0.1:1', '--give-up-after-ms', '1']
    const { code, stdout, stderr } = await flush(['--dir', dir, ...nowhere])
    assert.equal(code, 1)
    assert.match(
      stdout,
      /traces: 0 spans in 0 records delivered to http:\/\/127\.0\.0\.1:1\/v1\/traces, 2 left\n$/,
    )
    assert.match(stderr, /^throughline: 2 spans are left in .*traces: .*ECONNREFUSED.*\n$/)
    assert.equal(readdirSync(join(dir, 'traces')).length, 1)
  })

  it('says what is wrong with its options', async (t) => {
    const dir = newDir(t)
    const cases: readonly [readonly string[], RegExp][] = [
      [[], /--dir is missing/],
      [['--dir', dir], /there is no spool in .*neither a folder traces nor a folder logs/],
      [['--dir', dir, '--protocol', 'zipkin'], /--protocol.*zipkin.*grpc, http\/protobuf, http\/json/],
      [['--dir', dir, '--give-up-after-ms', '0'], /whole number of milliseconds/],
    ]
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await flush(args)
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, message)
    }
    await leaveSpans(dir)
    const { code, stderr } = await flush(['--dir', dir, '--endpoint', 'ftp://x'])
    assert.equal(code, 1)
    assert.match(stderr, /^throughline: .*ftp:\/\/x/)
  })
})
