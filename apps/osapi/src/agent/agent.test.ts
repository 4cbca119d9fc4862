import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { after, before, describe, it } from 'node:test'
import { JobError } from '../job/client.ts'
import { lostMessage } from '../job/lost.ts'
import type { JobResponse } from '../job/model.ts'
import { fileChange, World } from '../testing/world.ts'

const shell = (command: string) => ({ type: 'command.shell.execute', data: { command } })
const hostnameGet = { type: 'node.hostname.get' }
const job = (operation: unknown) => ({ id: 'x', operation })

function dataOf(response: JobResponse | undefined): Readonly<Record<string, unknown>> {
  assert.ok(response)
  return response.data as Readonly<Record<string, unknown>>
}

describe('workers', () => {
  let world: World
  const hosts = async (target: string) => {
    const { responses } = await world.jobs.run(hostnameGet, target)
    return responses.map(({ hostname }) => hostname).toSorted()
  }
  const errorOf = async (definition: unknown) => {
    const id = world.newId()
    const text = typeof definition === 'string' ? definition : JSON.stringify(definition)
    await world.publishRaw('jobs.query._any', id, text)
    return (await world.response(id)).error
  }
  before(async () => {
    world = await World.start()
    await world.worker('alpha', { 'agent.labels': 'group=web.dev.us-east' })
    await world.worker('beta', { 'agent.labels': 'group=web.prod' })
  })
  after(() => world.stop())

  it('run a job for any of them once, spread over both', async () => {
    const file = world.file('any')
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        world.jobs.publishAndWait(shell(`echo ${index} >> ${file}`), '_any'),
      ),
    )
    assert.equal((await world.marks('any')).length, 30)
    assert.equal(new Set(await world.marks('any')).size, 30)
    const hosts = new Set(outcomes.flatMap(({ responses }) => responses.map(({ hostname }) => hostname)))
    assert.deepEqual([...hosts].toSorted(), ['alpha', 'beta'])
  })

  it('all run a job for all, and a label means those that have it', async () => {
    assert.deepEqual(await hosts('_all'), ['alpha', 'beta'])
    assert.deepEqual(await hosts('group:web'), ['alpha', 'beta'])
    assert.deepEqual(await hosts('group:web.dev'), ['alpha'])
    assert.deepEqual(await hosts('group:web.dev.us-east'), ['alpha'])
    assert.deepEqual(await hosts('group:web.prod'), ['beta'])
  })

  it('are meant by hostname and by machine id', async () => {
    for (const target of ['beta', 'machine-beta']) {
      const { responses } = await world.jobs.run(hostnameGet, target)
      assert.deepEqual(
        responses.map(({ hostname }) => hostname),
        ['beta'],
      )
    }
  })

  it('answer with what a command did; a failed one fails the request', async () => {
    const { responses } = await world.jobs.run(shell('echo out; echo err >&2; exit 3'), '_any')
    const [response] = responses
    assert.equal(response?.status, 'completed')
    assert.equal(response?.changed, true)
    const { stdout, stderr, exit_code } = dataOf(response)
    assert.deepEqual({ stdout, stderr, exit_code }, { stdout: 'out\n', stderr: 'err\n', exit_code: 3 })
    const failing = world.jobs.run({ type: 'command.exec.execute', data: { command: '/no/such' } }, '_any')
    await assert.rejects(
      failing,
      (error) => error instanceof JobError && error.code === 'job_failed' && error.status === 500,
    )
  })

  it('store the response before the terminal event, and the whole timeline', async () => {
    const { job_id } = await world.jobs.run(hostnameGet, 'alpha')
    let detail = await world.jobs.get(job_id)
    while (detail.status === 'processing') detail = await world.jobs.get(job_id)
    assert.equal(detail.status, 'completed')
    assert.deepEqual(
      detail.timeline.map(({ event }) => event),
      ['submitted', 'acknowledged', 'started', 'completed'],
    )
    assert.equal(detail.timeline[3]?.message, 'Job completed successfully on alpha')
    assert.equal(detail.target, 'machine_alpha')
    assert.equal(detail.agent_states?.['alpha']?.status, 'completed')
    assert.equal(detail.responses?.['alpha']?.status, 'completed')
  })

  it('fail unknown operations, unknown facts and broken definitions with a text, and go on', async () => {
    assert.equal(await errorOf(job({ type: 'node.foo.get' })), 'unsupported node operation: foo.get')
    assert.equal(await errorOf(job({ type: 'moon.foo.get' })), 'unsupported job category: moon')
    assert.equal(await errorOf(job({ type: 'node' })), 'invalid operation type format: node')
    assert.equal(await errorOf(job({})), 'invalid operation format: missing type field')
    assert.equal(await errorOf({ id: 'x' }), 'invalid job format: missing operation')
    assert.equal(await errorOf({ operation: {} }), 'invalid job format: missing id')
    assert.equal(await errorOf('{'), 'invalid job format: not JSON')
    const unknownFact = job({ type: 'command.exec.execute', data: { command: '@fact.moon' } })
    assert.equal(await errorOf(unknownFact), 'failed to resolve fact references: unknown fact "@fact.moon"')
  })

  it('refuse malformed messages for good and run the next job', async () => {
    for (const body of ['', 'a.b', '../../x', '*', world.newId()])
      await world.publishRaw('jobs.query._any', body)
    await world.jobs.run(hostnameGet, '_any')
    const info = () => world.bus.jsm.consumers.info('JOBS', 'jobs-agent_query_any')
    let consumer = await info()
    while (consumer.num_ack_pending > 0) consumer = await info()
    assert.equal(consumer.num_redelivered, 0)
    assert.equal(world.logs.filter((line) => line.includes('"error":"job not found: ')).length, 1)
    assert.equal(world.logs.filter((line) => line.includes('malformed message on jobs.query._any')).length, 4)
  })

  it('replace facts in the data of an operation', async () => {
    const { responses } = await world.jobs.run(shell('echo @fact.arch on @fact.kernel'), '_any')
    const { stdout } = dataOf(responses[0])
    assert.match(String(stdout), /^\w+ on \d+\.\d+/)
  })
})

describe('a message that is delivered again', () => {
  let world: World
  before(async () => {
    world = await World.start()
    await world.worker('alpha')
    await world.worker('beta')
  })
  after(() => world.stop())

  it('runs nothing when its job has an outcome', async () => {
    const file = world.file('again')
    const { job_id } = await world.jobs.run(shell(`echo ran >> ${file}`), '_any')
    for (let round = 0; round < 3; round += 1) await world.publishRaw('jobs.modify._any', job_id)
    await world.jobs.run(hostnameGet, '_any')
    let info = await world.bus.jsm.consumers.info('JOBS', 'jobs-agent_modify_any')
    while (info.num_pending > 0 || info.num_ack_pending > 0) {
      info = await world.bus.jsm.consumers.info('JOBS', 'jobs-agent_modify_any')
    }
    assert.deepEqual(await world.marks('again'), ['ran'])
    assert.equal((await world.store.responses(job_id)).length, 1)
  })

  it('runs nothing while its job runs, here or elsewhere, for longer than the ack wait', async () => {
    const file = world.file('long')
    const running = world.jobs.run(shell(`echo ran >> ${file}; sleep 2.5`), '_any')
    await fileChange(world.dir)
    const [id] = await world.store.ids().then(async (ids) => {
      const details = await Promise.all(ids.map((id) => world.jobs.get(id)))
      return details.filter(({ status }) => status === 'processing').map(({ id }) => id)
    })
    for (let round = 0; round < 4; round += 1) await world.publishRaw('jobs.modify._any', id ?? '')
    const { responses } = await running
    assert.equal(responses[0]?.status, 'completed')
    assert.deepEqual(await world.marks('long'), ['ran'])
    const info = await world.bus.jsm.consumers.info('JOBS', 'jobs-agent_modify_any')
    assert.equal(info.num_redelivered, 0)
  })
})

describe('a worker that is killed', () => {
  let world: World
  before(async () => {
    world = await World.start()
  })
  after(() => world.stop())

  it('leaves its outcome to be told by another worker, which does not run the job', async () => {
    const victim = await world.workerProcess('victim')
    const file = world.file('killed')
    await writeFile(file, '')
    const started = fileChange(file)
    const waiting = world.jobs.run(shell(`echo ran >> ${file}; sleep 20`), '_any')
    await started
    const survivor = await world.worker('survivor')
    victim.kill('SIGKILL')
    await assert.rejects(waiting, new RegExp(`job failed: ${lostMessage}`))
    assert.deepEqual(await world.marks('killed'), ['ran'])
    await survivor.stop()
  })

  it('leaves it to the API when it alone was meant', async () => {
    const victim = await world.workerProcess('lonely')
    const file = world.file('lonely')
    await writeFile(file, '')
    const started = fileChange(file)
    const waiting = world.jobs.run(shell(`echo ran >> ${file}; sleep 20`), 'lonely')
    await started
    victim.kill('SIGKILL')
    await assert.rejects(waiting, new RegExp(`job failed: ${lostMessage}`))
    const reborn = await world.workerProcess('lonely')
    await world.jobs.run(hostnameGet, 'lonely')
    assert.deepEqual(await world.marks('lonely'), ['ran'])
    reborn.kill('SIGKILL')
  })
})
