import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('./bin.js', import.meta.url))
const traceId = '0af7651916cd43dd8448eb211c80319c'

interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Result> {
  const child = spawn(process.execPath, [bin, ...args], { env: { ...process.env, ...env } })
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code, stdout, stderr }
}

interface RunningLens {
  readonly child: ChildProcess
  readonly url: string
  readonly httpUrl: string
  /** Sends a signal and resolves with exit code and signal. */
  stop(signal: NodeJS.Signals): Promise<readonly unknown[]>
}

async function startLens(...args: readonly string[]): Promise<RunningLens> {
  const ports = ['--port', '0', '--otlp-grpc-port', '0', '--otlp-http-port', '0']
  const child = spawn(process.execPath, [bin, 'lens', ...ports, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const addresses = new Map<string, string>()
  for await (const line of createInterface({ input: child.stdout })) {
    const [, what, address] = /^ {2}(page and API|OTLP\/gRPC|OTLP\/HTTP|data) +(.*)$/.exec(line) ?? []
    if (what !== undefined && address !== undefined) addresses.set(what, address)
    if (what === 'data') break
  }
  const stop = (signal: NodeJS.Signals): Promise<readonly unknown[]> => {
    child.kill(signal)
    return exited
  }
  return { child, url: addresses.get('page and API') ?? '', httpUrl: addresses.get('OTLP/HTTP') ?? '', stop }
}

const resource = (name: string): object => ({
  attributes: [{ key: 'service.name', value: { stringValue: name } }],
})

/** Publish and process, 10 ms apart, in two services. */
async function sendTrace(httpUrl: string): Promise<void> {
  const ids = { traceId, startTimeUnixNano: '1790000000000000000', endTimeUnixNano: '1790000000010000000' }
  const times = { startTimeUnixNano: '1790000000020000000', endTimeUnixNano: '1790000000040000000' }
  const publish = { ...ids, spanId: '0000000000000001', name: 'publish\u001b[2J', kind: 4 }
  const handle = {
    ...ids,
    ...times,
    spanId: '0000000000000002',
    parentSpanId: publish.spanId,
    name: 'process',
    kind: 5,
  }
  const body = JSON.stringify({
    resourceSpans: [
      { resource: resource('api'), scopeSpans: [{ spans: [publish] }] },
      { resource: resource('worker'), scopeSpans: [{ spans: [handle] }] },
    ],
  })
  const response = await fetch(`${httpUrl}/v1/traces`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  assert.deepEqual([response.status, await response.text()], [200, '{}'])
}

describe('throughline lens', () => {
  it('ends with 0 on SIGINT and on SIGTERM, and has kept what it took', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'throughline-'))
    const first = await startLens('--data-dir', dataDir)
    await sendTrace(first.httpUrl)
    assert.deepEqual(await first.stop('SIGINT'), [0, null])
    const second = await startLens('--data-dir', dataDir)
    const drawn = await run(['trace', traceId, '--url', second.url])
    assert.equal(drawn.code, 0)
    const locked = await run([
      'lens',
      '--port',
      '0',
      '--otlp-grpc-port',
      '0',
      '--otlp-http-port',
      '0',
      '--data-dir',
      dataDir,
    ])
    assert.equal(locked.code, 1)
    assert.match(locked.stderr, /in use by another Lens.*--data-dir/)
    assert.deepEqual(await second.stop('SIGTERM'), [0, null])
    rmSync(dataDir, { recursive: true })
  })

  it('says in its own words, and no others, that an address cannot be listened on', async () => {
    // https://www.rfc-editor.org/rfc/rfc5737: an address for documents, which no machine has.
    const { code, stdout, stderr } = await run(['lens', '--memory', '--host', '192.0.2.1'])
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /^throughline: OTLP\/gRPC: cannot listen on 192\.0\.2\.1:4317: .*EADDRNOTAVAIL.*\n$/)
  })

  it('prints its commands and fails when it is not told which', async () => {
    const { code, stdout, stderr } = await run([])
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /^Usage: throughline .*\n\s*lens .*\n\s*trace /s)
  })

  const bad: readonly [readonly string[], RegExp][] = [
    [['lens', '--port', '65536'], /--port.*65536.*whole number from 0 to 65535/],
    [['lens', '--retention-hours', '0'], /--retention-hours.*above 0/],
    [['lens', '--memory', '--data-dir', 'x'], /--memory and --data-dir exclude each other/],
    [['lens', '--colour'], /unknown option '--colour'/],
    [['trace'], /missing required argument 'id'/],
    [['trace', traceId.slice(1)], /is no trace id; allowed: 32 hexadecimal digits/],
    [['trace', '0'.repeat(32)], /is no trace id/],
    [['trace', '\u001b[2J'], /"\?\[2J" is no trace id/],
    [['trace', traceId, '--url', 'ftp://x'], /--url.*http or https/],
    [['nonsense'], /unknown command 'nonsense'/],
  ]
  for (const [args, message] of bad)
    it(`fails with 1 and the reason: ${JSON.stringify(args)}`, async () => {
      const { code, stdout, stderr } = await run(args)
      assert.deepEqual([code, stdout], [1, ''])
      assert.match(stderr, message)
    })
})

describe('throughline trace and traces', () => {
  let lens: RunningLens
  before(async () => {
    lens = await startLens('--memory')
    await sendTrace(lens.httpUrl)
  })
  after(() => lens.stop('SIGTERM'))

  it('draw the waterfall, plain where there is no terminal', async () => {
    const { code, stdout, stderr } = await run(['trace', traceId.toUpperCase(), '--url', `${lens.url}/`], {
      COLUMNS: '80',
    })
    assert.deepEqual([code, stderr], [0, ''])
    assert.equal(
      stdout,
      `trace ${traceId}
publish\u{fffd}[2J · 40.0 ms · 2 spans · 2 services

SERVICE NAME        KIND     DURATION STATUS
api     publish\u{fffd}[2J PRODUCER  10.0 ms unset  ━━━━━━━━
worker    process   CONSUMER  20.0 ms unset          ░░░░░░░░░━━━━━━━━━━━━━━━━━
            ░ waited 10.0 ms in the queue
`,
    )
  })

  it('print JSON', async () => {
    const trace = JSON.parse((await run(['trace', traceId, '--url', lens.url, '--json'])).stdout)
    assert.deepEqual([trace.traceId, trace.spans[1].queue.durationMs], [traceId, 10])
    const traces = JSON.parse((await run(['traces', '--url', lens.url, '--json'])).stdout)
    assert.deepEqual([traces.length, traces[0].spanCount], [1, 2])
  })

  it('list traces by filter', async () => {
    const all = await run(['traces', '--url', lens.url])
    assert.match(all.stdout, new RegExp(`\\n2026-09-21 .* ${traceId} +40.0 ms +2 +0 api: publish`))
    assert.equal((await run(['traces', '--url', lens.url, '--errors'])).stdout, 'No traces.\n')
    const bad = await run(['traces', '--url', lens.url, '--limit', 'many'])
    assert.deepEqual(
      [bad.code, bad.stderr],
      [1, 'throughline: limit is "many"; allowed: a whole number from 1 to 1000\n'],
    )
  })

  it('say when the trace is unknown', async () => {
    const { code, stdout, stderr } = await run(['trace', 'f'.repeat(32), '--url', lens.url])
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, /no span of trace f{32} has arrived/)
  })

  it('say when Lens is not there, or another program is', async () => {
    const other = createServer((_request, response) => response.end('<html>'))
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const address = other.address()
    assert.ok(address !== null && typeof address === 'object')
    const url = `http://127.0.0.1:${address.port}`
    const wrong = await run(['traces', '--url', url])
    assert.equal(wrong.code, 1)
    assert.match(wrong.stderr, /not as Lens does/)
    await new Promise((resolve) => other.close(resolve))
    const gone = await run(['traces', '--url', url])
    assert.equal(gone.code, 1)
    assert.match(gone.stderr, /Lens does not answer at .*\(ECONNREFUSED\).*throughline lens/)
  })
})
