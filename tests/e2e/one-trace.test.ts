import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { cleanEnvironment, type Finished, inRepository, runNode } from '../harness/processes.ts'

const demo = inRepository('apps/demo/dist/bin.js')

describe('npm start -- --once', () => {
  let run: Finished
  let traceId: string

  before(async () => {
    run = await runNode([demo, '--once'])
    traceId = /^Trace ID: ([0-9a-f]{32}) /mu.exec(run.stdout)?.[1] ?? ''
  })

  it('exits 0 and complains about nothing', () => {
    assert.deepEqual([run.code, run.stderr], [0, ''], run.stdout)
  })

  it('prints the answer of osapi client node hostname and the trace id', () => {
    assert.match(run.stdout, /\n\$ osapi client node hostname --debug\n\n {2}Job ID: [0-9a-f-]{36}\n/u)
    assert.match(run.stdout, /\n {2}HOSTNAME +STATUS\n {2}\S+ +ok\n\n {2}1 host: 1 ok\n/u)
    assert.match(traceId, /^[0-9a-f]{32}$/u)
  })

  it('draws one waterfall with every span of the way, each with its service and kind', () => {
    const drawn = run.stdout.slice(run.stdout.indexOf(`$ throughline trace ${traceId}`))
    assert.match(drawn, /· \d+ spans · 3 services\n/u)
    for (const [service, name, kind] of [
      ['osapi-cli', 'osapi client node hostname', 'INTERNAL'],
      ['osapi-cli', 'GET', 'CLIENT'],
      ['osapi-api', 'GET /api/node/:target/hostname', 'SERVER'],
      ['osapi-api', 'kv.put job-queue', 'CLIENT'],
      ['osapi-api', 'publish jobs.query._any', 'PRODUCER'],
      ['osapi-worker', 'job.process', 'CONSUMER'],
      ['osapi-worker', 'kv.get job-queue', 'CLIENT'],
      ['osapi-worker', 'provider.execute', 'INTERNAL'],
      ['osapi-worker', 'job.result.write', 'INTERNAL'],
    ] as const) {
      const line = drawn
        .split('\n')
        .find(
          (text) =>
            text.startsWith(`${service} `) && text.includes(` ${name} `) && text.includes(` ${kind} `),
        )
      assert.ok(line !== undefined, `${service} ${name} ${kind} in\n${drawn}`)
    }
    assert.match(drawn, /waited .* in the queue/u)
  })

  it('prints the log lines of CLI, API server and worker that grep finds by the trace id', () => {
    const lines = run.stdout.split('\n').filter((line) => line.includes(`trace_id=${traceId}`))
    for (const start of [
      /^cli +\| .* DBG http response /u,
      /^api +\| .* INF publishing job request /u,
      /^api +\| .* INF received job response /u,
      /^worker +\| .* INF processing job /u,
      /^worker +\| .* INF job processing completed /u,
    ])
      assert.ok(
        lines.some((line) => start.test(line)),
        String(start),
      )
  })

  it('prints the address of the trace in Lens', () => {
    assert.match(
      run.stdout,
      new RegExp(`^In the browser: http://127\\.0\\.0\\.1:\\d+/trace/${traceId}$`, 'mu'),
    )
  })
})

describe('npm start', () => {
  it('refuses arguments that it does not know, with its usage', async () => {
    const { code, stderr } = await runNode([demo, '--twice'])
    assert.equal(code, 2)
    assert.match(stderr, /--twice[\s\S]*npm start -- --once/u)
  })

  it('stays up until Ctrl-C, then stops everything and exits 0', async () => {
    const child = spawn(process.execPath, [demo], {
      env: cleanEnvironment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const pids = new Set<number>()
    let text = ''
    for await (const chunk of child.stdout.setEncoding('utf8')) {
      text += String(chunk)
      if (!text.includes('Everything stays up until Ctrl-C')) continue
      if (pids.size === 0) {
        for (const pid of childrenOf(child.pid ?? 0)) pids.add(pid)
        child.kill('SIGINT')
      }
    }
    if (child.exitCode === null) await once(child, 'exit')
    assert.equal(child.exitCode, 0, text)
    assert.equal(pids.size, 4, 'Lens, nats, API server and worker were up')
    for (const pid of pids) assert.equal(existsSync(`/proc/${pid}`), false, `process ${pid} is gone`)
  })
})

describe('npm start -- --once with something broken', () => {
  it('a worker without tracing: exits 1 and says which spans are missing', async () => {
    const { code, stdout, stderr } = await brokenBy(`
      if (process.argv.includes('worker')) process.env.OSAPI_TELEMETRY_TRACING_ENABLED = 'false'`)
    assert.equal(code, 1, stdout)
    assert.match(
      stderr,
      /^the trace is not whole: no job\.process span \(CONSUMER of osapi-worker\) under publish$/mu,
    )
    assert.match(stdout, /HOSTNAME +STATUS/u)
  })

  it('a worker that cannot start: exits 1 and says so with the end of its log', async () => {
    const { code, stderr } = await brokenBy(`
      if (process.argv.includes('worker')) process.env.OSAPI_TELEMETRY_TRACING_EXPORTER = 'zipkin'`)
    assert.equal(code, 1)
    assert.match(stderr, /worker ended while waiting for OSAPI worker/u)
    assert.match(stderr, /unsupported tracing exporter: \\?"zipkin/u)
  })
})

/** Runs the scene with a module loaded into each of its processes first. */
async function brokenBy(source: string): Promise<Finished> {
  const dir = mkdtempSync(join(tmpdir(), 'broken-demo-'))
  try {
    const file = join(dir, 'break.cjs')
    writeFileSync(file, source)
    return await runNode([demo, '--once'], { NODE_OPTIONS: `--require=${file}` })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}
