import assert from 'node:assert/strict'
import { existsSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Collector } from '../harness/collector.ts'
import { eventually } from '../harness/eventually.ts'
import { Scene } from '../harness/osapi.ts'
import type { Running } from '../harness/processes.ts'

// How workers share, refuse, lose and retell jobs is tested in apps/osapi/src/agent, over the same server but mostly within one
// process. Here stand the executables themselves, with their own processes, signals and exit codes.

describe('workers', () => {
  let scene: Scene
  let collector: Collector
  let workers: Readonly<Record<'web-01' | 'db-01' | 'app-01', Running>>

  before(async () => {
    collector = await Collector.start()
    scene = await Scene.start({
      tracing: { enabled: true, exporter: 'otlp', otlp_endpoint: collector.grpcEndpoint },
      // A worker that is gone is known to be within twice this time; a message that nobody works on comes again after a second.
      settings: { 'nats.registry.ttl': '3s', 'agent.consumer.back_off': '1s,1s,1s,1s' },
    })
    await scene.startApi()
    const [web, db, app] = await Promise.all([
      startWorker('web-01'),
      startWorker('db-01'),
      startWorker('app-01'),
    ])
    workers = { 'web-01': web, 'db-01': db, 'app-01': app }
  })
  after(async () => {
    await scene?.stop()
    await collector?.stop()
  })

  /** `web-01` has the label `group: web`. */
  const startWorker = (name: string): Promise<Running> =>
    scene.startWorker({ name, env: { OSAPI_AGENT_LABELS: `group=${name.split('-')[0]}.dev` } })

  /** `osapi client node uptime --target …`: the hosts of its rows, and those whose worker says that it ran the job. */
  async function ask(target: string): Promise<{ rows: string[]; ran: string[] }> {
    const { code, stdout, stderr } = await scene.cli([
      'client',
      'node',
      'uptime',
      '--target',
      target,
      '--json',
    ])
    assert.equal(code, 0, stderr)
    const { job_id: id, results } = JSON.parse(stdout) as { job_id: string; results: { hostname: string }[] }
    const rows = results.map(({ hostname }) => hostname).toSorted()
    const ran = Object.entries(workers).filter(([, { log }]) => log.includes(`processing job job_id=${id}`))
    return { rows, ran: ran.map(([name]) => name).toSorted() }
  }

  it('_any is done by one of them', async () => {
    const { rows, ran } = await ask('_any')
    assert.equal(rows.length, 1)
    assert.deepEqual(ran, rows)
  })

  it('_all is done by all of them, and their spans are children of the one publish', async () => {
    const all = ['app-01', 'db-01', 'web-01']
    assert.deepEqual(await ask('_all'), { rows: all, ran: all })
    const publish = await collector.until(({ name }) => name === 'publish jobs.query._all')
    const done = new Set<string>()
    await collector.until((span) => {
      if (span.name === 'job.process' && span.parentSpanId === publish.spanId) done.add(span.spanId)
      return done.size === 3
    })
  })

  it('a label is done by those that have it, a hostname by that one', async () => {
    assert.deepEqual(await ask('group:web'), { rows: ['web-01'], ran: ['web-01'] })
    assert.deepEqual(await ask('group:db.dev'), { rows: ['db-01'], ran: ['db-01'] })
    assert.deepEqual(await ask('db-01'), { rows: ['db-01'], ran: ['db-01'] })
  })

  it('a target that nobody has is refused, exit code 1', async () => {
    const { code, stderr } = await scene.cli(['client', 'node', 'uptime', '--target', 'group:mail'])
    assert.equal(code, 1)
    assert.match(stderr, /ERR api error code=400 error=".*target agent \\"group:mail\\" not found/u)
  })

  it('one killed while it runs a command: the CLI is told, and the command runs no second time', async () => {
    const marks = join(scene.dir, 'killed')
    const script = `echo ran >> ${marks}; exec sleep 20`
    const command = ['command', 'shell', '--command', script, '--target', 'app-01']
    const running = scene.cli(['client', 'node', ...command])
    await exists(marks)
    await workers['app-01'].stop('SIGKILL')
    const { code, stderr } = await running
    assert.equal(code, 1)
    assert.match(stderr, /ERR api error code=500 error="job failed: worker lost while running/u)
    const [id] =
      /(?<=processing job job_id=)\S+(?= type=command\.shell\.execute)/u.exec(workers['app-01'].log) ?? []
    // Started again, it is given the message again, and leaves it alone.
    const reborn = await startWorker('app-01')
    await reborn.logged(new RegExp(`job has an outcome already job_id=${id}`, 'u'))
    const job = (await (await scene.request(`/job/${id}`)).json()) as { status: string; error: string }
    assert.deepEqual([job.status, job.error], ['failed', 'worker lost while running'])
    assert.deepEqual(readFileSync(marks, 'utf8'), 'ran\n')
    workers = { ...workers, 'app-01': reborn }
  })

  it('nats server killed under load: all connect again, and each of 40 jobs is done once', async () => {
    const marks = join(scene.dir, 'load')
    const jobCount = 40
    let answered = 0
    const run = async (index: number) => {
      const body = { command: `echo ${index} >> ${marks}; sleep 0.2` }
      const response = await scene.request('/node/_any/command/shell', { method: 'POST', body })
      answered += 1
      assert.equal(response.status, 202, await response.text())
    }
    const answers = Array.from({ length: jobCount }, (_, index) => run(index))
    await Promise.race(answers)
    await scene.nats.stop('SIGKILL')
    await workers['web-01'].logged(/nats connection lost, reconnecting/u)
    assert.ok(answered < jobCount, 'the server went while there was work to do')
    await scene.startNats()
    await Promise.all(answers)
    const ran = readFileSync(marks, 'utf8').trim().split('\n').map(Number)
    assert.deepEqual(
      ran.toSorted((a, b) => a - b),
      Array.from({ length: jobCount }, (_, index) => index),
    )
    for (const { log } of Object.values(workers)) assert.match(log, /nats connection restored/u)
  })
})

/** Resolves when the file is there. */
async function exists(path: string): Promise<void> {
  const watchers = new Set<() => void>()
  const watcher = watch(join(path, '..'), () => {
    for (const look of watchers) look()
  })
  try {
    await eventually(
      () => existsSync(path) || undefined,
      watchers,
      () => `${path} never came`,
    )
  } finally {
    watcher.close()
  }
}
