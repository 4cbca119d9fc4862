import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Lens, startLens, type TraceView } from '@throughline/lens'
import { ChildProgram, type End } from '../harness/child-program.ts'
import { nextPort, ownAddress } from '../harness/peer/address.ts'
import type { Environment } from '../harness/processes.ts'

const program = fileURLToPath(new URL('programs/open-span.js', import.meta.url))
const directories: string[] = []
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true })
})

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'open-spans-'))
  directories.push(directory)
  return directory
}

interface Run {
  readonly endpoint: string
  readonly dir: string
  readonly way: string
  readonly mode?: 'export'
  readonly nodeArgs?: readonly string[]
  readonly env?: Environment
}

const start = ({ endpoint, dir, way, mode, nodeArgs, env }: Run): ChildProgram =>
  new ChildProgram({
    args: [program, endpoint, dir, way, ...(mode === undefined ? [] : [mode])],
    ...(nodeArgs !== undefined && { nodeArgs }),
    ...(env !== undefined && { env }),
  })

const traceOf = async (child: ChildProgram): Promise<string> =>
  (await child.printed(/trace ([0-9a-f]{32})/))[1] ?? ''

type Seen = readonly (readonly [name: string, state: string, status: string, text: string])[]

/** Name, state, status, and what is said of its end. */
const seenIn = (trace: TraceView): Seen =>
  trace.spans.map(({ name, state = 'ended', status, interruption, statusMessage }) => [
    name,
    state,
    status,
    interruption ?? statusMessage,
  ])

describe('spans that are open when their process ends', () => {
  let lens: Lens
  let endpoint: string
  let nobody: string

  before(async () => {
    lens = await startLens({ otlpGrpcPort: 0, otlpHttpPort: 0, port: 0 })
    endpoint = `http://127.0.0.1:${lens.httpPort}`
    nobody = `http://${ownAddress}:${nextPort()}`
  })
  after(() => lens.stop())

  async function traceInLens(traceId: string): Promise<TraceView | undefined> {
    const response = await fetch(`${lens.url}/api/traces/${traceId}`)
    const body: unknown = await response.json()
    return response.ok ? (body as TraceView) : undefined
  }

  /** Lens tells nobody when something arrives, so it is asked until it is there; the test's own limit ends that. */
  async function untilInLens(traceId: string, isThere: (seen: Seen) => boolean): Promise<Seen> {
    for (;;) {
      const trace = await traceInLens(traceId)
      if (trace !== undefined && isThere(seenIn(trace))) return seenIn(trace)
    }
  }

  /** What the next start of the program finds, delivers and says. */
  async function deliver(dir: string): Promise<End> {
    const end = await start({ endpoint, dir, way: 'deliver' }).end()
    assert.equal(end.code, 0)
    return end
  }

  const ends: readonly {
    readonly way: string
    readonly signal?: NodeJS.Signals
    readonly code: number | null
    readonly reason: string
  }[] = [
    { way: 'exit-3', code: 3, reason: 'process.exit(3)' },
    { way: 'throw', code: 1, reason: 'uncaught exception: Error: boom' },
    { way: 'reject', code: 1, reason: 'unhandled rejection: TypeError: rejected' },
    { way: 'natural', code: 0, reason: 'end of the program with exit code 0' },
    { way: 'shutdown', code: 0, reason: 'tracing was shut down' },
    { way: 'wait', signal: 'SIGTERM', code: null, reason: 'SIGTERM' },
    { way: 'wait', signal: 'SIGINT', code: null, reason: 'SIGINT' },
    { way: 'handled-signal', signal: 'SIGTERM', code: 0, reason: 'process.exit(0) after SIGTERM' },
  ]
  for (const { way, signal, code, reason } of ends) {
    const title = signal === undefined ? way : `${way}, ${signal}`
    it(`${title}: end with it as the reason, and the next start delivers them`, async () => {
      const dir = freshDirectory()
      const child = start({ endpoint: nobody, dir, way })
      const traceId = await traceOf(child)
      if (signal !== undefined) child.kill(signal)
      const end = await child.end()
      assert.deepEqual([end.code, end.signal], code === null ? [null, signal] : [code, null])
      assert.equal(await traceInLens(traceId), undefined)
      const { stdout } = await deliver(dir)
      assert.match(stdout, /"adopted":2,"delivered":2,"waiting":0/)
      const whole = `${reason} (process ${child.pid} on ${hostname()})`
      const trace = await traceInLens(traceId)
      assert.ok(trace)
      assert.deepEqual(seenIn(trace), [
        ['job', 'interrupted', 'ERROR', whole],
        ['step', 'interrupted', 'ERROR', whole],
      ])
      const [job, step] = trace.spans
      assert.equal(job?.attributes?.['job.id'], 17)
      assert.deepEqual(
        job.events.map((event) => event.name),
        ['begun'],
      )
      assert.deepEqual([job.statusMessage, step?.statusMessage], [reason, 'no such host'])
    })
  }

  it('are delivered at once without a spool, where the collector is there', async () => {
    const child = start({ endpoint, dir: 'none', way: 'exit-3' })
    const traceId = await traceOf(child)
    assert.equal((await child.end()).code, 3)
    assert.deepEqual(
      (await traceInLens(traceId))?.spans.map(({ state }) => state),
      ['interrupted', 'interrupted'],
    )
  })

  const kills: readonly {
    readonly way: string
    readonly signal: NodeJS.Signals
    readonly nodeArgs?: readonly string[]
  }[] = [
    { way: 'wait', signal: 'SIGKILL' },
    { way: 'out-of-memory', signal: 'SIGUSR2', nodeArgs: ['--max-old-space-size=48'] },
  ]
  for (const { way, signal, nodeArgs } of kills)
    it(`${way}, ${signal}: run in Lens until the next start finds that their process was killed`, async () => {
      const dir = freshDirectory()
      const child = start({ endpoint, dir, way, mode: 'export', ...(nodeArgs !== undefined && { nodeArgs }) })
      const traceId = await traceOf(child)
      // What was exported as pending is on disk already.
      const running = await untilInLens(traceId, (seen) => seen.length === 2)
      assert.deepEqual(running, [
        ['job', 'pending', 'UNSET', ''],
        ['step', 'pending', 'ERROR', 'no such host'],
      ])
      child.kill(signal)
      assert.notEqual((await child.end()).code, 0)
      const { stdout, ourLines } = await deliver(dir)
      assert.match(stdout, /"ended":0.*"adopted":2,"delivered":2,"waiting":0/)
      const whose = `process ${child.pid} of ${hostname()} ("jobs") was killed or crashed`
      assert.deepEqual(ourLines, [`throughline: spans that were open are exported as interrupted: ${whose}`])
      const trace = await traceInLens(traceId)
      assert.ok(trace)
      const reason = new RegExp(
        `^process ${child.pid} on ${hostname()} was killed or crashed, last seen \\d{4}-.*Z$`,
      )
      assert.equal(trace.interruptedCount, 2)
      for (const span of trace.spans) assert.match(span.interruption ?? '', reason)
      assert.deepEqual(
        trace.spans.map(({ status, statusMessage, interruption }) => [
          status,
          statusMessage === interruption,
        ]),
        [
          ['ERROR', true],
          ['ERROR', false],
        ],
      )
      assert.equal(trace.spans[0]?.attributes?.['job.id'], 17)
    })

  it('that have ended and were delivered are not found open after a kill', async () => {
    const dir = freshDirectory()
    const child = start({ endpoint, dir, way: 'ends-then-wait', mode: 'export' })
    const traceId = await traceOf(child)
    await untilInLens(traceId, (seen) => seen.length === 2)
    child.kill('SIGUSR2')
    const [, ledger = ''] = await child.printed(/ended (\{.*\})/)
    assert.deepEqual(JSON.parse(ledger), { ended: 2, delivered: 2, pending: 0, spooled: 0, dropped: {} })
    child.kill('SIGKILL')
    await child.end()
    // Another one leaves something, so that there is something to wait for.
    const other = start({ endpoint: nobody, dir, way: 'exit-3' })
    await other.end()
    const { stdout } = await deliver(dir)
    assert.match(stdout, /"adopted":2,"delivered":2,"waiting":0/)
    const trace = await traceInLens(traceId)
    assert.deepEqual(trace && seenIn(trace), [
      ['job', 'ended', 'UNSET', ''],
      ['step', 'ended', 'ERROR', 'no such host'],
    ])
  })

  it('are in the account, whose last line is written for those who debug', async () => {
    for (const [way, code] of [
      ['exit-3', 3],
      ['shutdown', 0],
    ] as const) {
      const child = start({ endpoint, dir: 'none', way, env: { OTEL_LOG_LEVEL: 'debug' } })
      const end = await child.end()
      assert.equal(end.code, code)
      const lines = end.ourLines.filter((line) => line.includes(' traces: '))
      assert.deepEqual(lines, [
        'throughline: traces: ended 2 = delivered 2 + pending 0 + spooled 0 + dropped 0',
      ])
    }
    const silent = await start({ endpoint, dir: 'none', way: 'exit-3' }).end()
    assert.deepEqual(silent.ourLines, [])
  })

  it('count as ended where a later listener of the exit event ends them', async () => {
    const dir = freshDirectory()
    const child = start({ endpoint: nobody, dir, way: 'ends-in-exit-handler' })
    const traceId = await traceOf(child)
    assert.equal((await child.end()).code, 4)
    await deliver(dir)
    const trace = await traceInLens(traceId)
    assert.deepEqual(trace && seenIn(trace), [
      ['job', 'ended', 'UNSET', ''],
      ['step', 'ended', 'ERROR', 'no such host'],
    ])
  })
})
