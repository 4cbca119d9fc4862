import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { JobError } from '../job/client.ts'
import { World } from '../testing/world.ts'

const shell = (command: string) => ({ type: 'command.shell.execute', data: { command } })
const hostnameGet = { type: 'node.hostname.get' }

/** Asks until it is so: states in the registry have no event to wait for. The test's own time limit ends what never comes. */
async function until<T>(ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  let answer = await ask()
  while (!isSo(answer)) {
    await delay(20)
    answer = await ask()
  }
  return answer
}

describe('max_jobs', () => {
  it('bounds what runs at once, and what waits is not delivered again', async () => {
    const world = await World.start()
    try {
      const worker = await world.worker('narrow', { 'agent.max_jobs': 2 })
      const file = world.file('at-once')
      // Each job marks its begin and its end; the marks tell how many overlapped.
      const command = `echo + >> ${file}; sleep 0.4; echo - >> ${file}`
      await Promise.all(Array.from({ length: 6 }, () => world.jobs.run(shell(command), 'narrow')))
      let running = 0
      let most = 0
      for (const mark of await world.marks('at-once')) {
        running += mark === '+' ? 1 : -1
        most = Math.max(most, running)
      }
      assert.equal(most, 2)
      assert.equal((await world.marks('at-once')).length, 12)
      const consumer = `jobs-agent_modify_direct_${worker.identity.host}`
      assert.equal((await world.bus.jsm.consumers.info('JOBS', consumer)).num_redelivered, 0)
    } finally {
      await world.stop()
    }
  })

  it('of a busy worker lets a free one take the jobs for any', async () => {
    const world = await World.start()
    try {
      await world.worker('busy', { 'agent.max_jobs': 1 })
      const long = world.jobs.run(shell('sleep 3'), 'busy')
      await until(
        () => world.store.ids(),
        (ids) => ids.length === 1,
      )
      await world.worker('free')
      const times = await Promise.all(
        Array.from({ length: 8 }, async () => {
          const startedAt = performance.now()
          const { responses } = await world.jobs.run(hostnameGet, '_any')
          return { hostname: responses[0]?.hostname, ms: performance.now() - startedAt }
        }),
      )
      for (const { hostname, ms } of times) {
        assert.equal(hostname, 'free')
        assert.ok(ms < 2500, `${ms} ms: it waited for the busy worker`)
      }
      await long
    } finally {
      await world.stop()
    }
  })
})

describe('drain', () => {
  let world: World
  before(async () => {
    world = await World.start()
  })
  after(() => world.stop())

  it('lets what runs end, takes nothing more, and undrain takes it up again', async () => {
    const worker = await world.worker('gamma')
    await world.worker('delta')
    const running = world.jobs.run(shell('sleep 1; echo done'), 'gamma')
    await until(
      () => world.store.ids(),
      (ids) => ids.length > 0,
    )
    await world.agents.drain('gamma')
    await assert.rejects(
      world.agents.drain('gamma'),
      (error) => error instanceof JobError && error.status === 409,
    )
    await until(
      async () => worker.state,
      (state) => state === 'Cordoned',
    )
    assert.equal((await running).responses[0]?.status, 'completed')
    await until(
      () => world.agents.get('gamma'),
      ({ state }) => state === 'Cordoned',
    )
    const broadcast = await world.jobs.run(hostnameGet, '_all')
    assert.deepEqual(
      broadcast.responses.map(({ hostname }) => hostname),
      ['delta'],
    )
    for (let round = 0; round < 5; round += 1) {
      const { responses } = await world.jobs.run(hostnameGet, '_any')
      assert.equal(responses[0]?.hostname, 'delta')
    }
    await world.agents.undrain('gamma')
    await assert.rejects(
      world.agents.undrain('gamma'),
      (error) => error instanceof JobError && error.status === 409,
    )
    assert.equal((await world.jobs.run(hostnameGet, 'gamma')).responses[0]?.hostname, 'gamma')
    const { timeline = [] } = await world.agents.get('gamma')
    assert.deepEqual(
      timeline.map(({ event }) => event),
      ['started', 'draining', 'cordoned', 'ready'],
    )
  })

  it('of a worker that nobody knows is refused', async () => {
    await assert.rejects(
      world.agents.drain('nobody'),
      (error) => error instanceof JobError && error.status === 404,
    )
  })
})

describe('jobs that are stored', () => {
  let world: World
  before(async () => {
    world = await World.start({ 'controller.api.job_timeout': '1500ms' })
  })
  after(() => world.stop())

  it('are run by a worker that comes later, and can be listed, retried and deleted', async () => {
    const file = world.file('stored')
    const created = await world.jobs.add(shell(`echo ran >> ${file}`), '_any')
    assert.equal((await world.jobs.get(created.job_id)).status, 'submitted')
    await world.worker('late')
    await until(
      () => world.jobs.get(created.job_id),
      ({ status }) => status === 'completed',
    )
    const again = await world.jobs.retry(created.job_id, 'late')
    assert.notEqual(again.job_id, created.job_id)
    await until(
      () => world.jobs.get(again.job_id),
      ({ status }) => status === 'completed',
    )
    assert.deepEqual(await world.marks('stored'), ['ran', 'ran'])
    const { timeline } = await world.jobs.get(created.job_id)
    assert.equal(timeline.at(-1)?.message, `Job retried as ${again.job_id}`)

    const all = await world.jobs.list({ limit: 1, offset: 0 })
    assert.equal(all.total_items, 2)
    assert.deepEqual(
      all.items.map(({ id }) => id),
      [again.job_id],
    )
    assert.equal(all.status_counts.completed, 2)
    assert.equal((await world.jobs.list({ status: 'failed', limit: 10, offset: 0 })).total_items, 0)
    assert.deepEqual((await world.jobs.status()).operation_counts, { 'command.shell.execute': 2 })

    await world.jobs.delete(again.job_id)
    await assert.rejects(world.jobs.get(again.job_id), /job not found/)
    await assert.rejects(world.jobs.delete(again.job_id), /job not found/)
    await assert.rejects(world.jobs.retry(again.job_id, '_any'), /job not found/)
    assert.deepEqual(await world.store.eventKeys(again.job_id), [])
  })

  it('time out when nobody answers, and a broadcast names who did not', async () => {
    await world.worker('quick')
    await world.worker('slow', { 'agent.max_jobs': 1 })
    await assert.rejects(world.jobs.run(shell('sleep 5'), 'slow'), /context deadline exceeded/)
    const { responses } = await world.jobs.run(hostnameGet, '_all')
    const rows = responses.map(({ hostname, status, error = '' }) => `${hostname} ${status} ${error}`.trim())
    const silent = 'slow failed timeout: agent did not respond'
    assert.deepEqual(rows.toSorted(), ['late completed', 'quick completed', silent])
    await assert.rejects(world.jobs.run(hostnameGet, 'moon:none'), /no agents match target "moon:none"/)
  })
})

describe('a job that JetStream gives up', () => {
  it('is told as failed, counted as a dead letter, and can be retried by its number', async () => {
    const world = await World.start({ 'agent.consumer.max_deliver': 2, 'agent.consumer.back_off': '200ms' })
    try {
      await world.worker('omega')
      // Taken off the shared consumer by somebody who never answers, as often as it is delivered.
      const consumer = await world.bus.js.consumers.get('JOBS', 'jobs-agent_modify_any')
      await world.agents.drain('omega')
      await until(
        () => world.agents.get('omega'),
        ({ state }) => state === 'Cordoned',
      )
      const { job_id } = await world.jobs.add(shell('true'), '_any')
      for (let delivery = 1; delivery <= 2; delivery += 1) {
        const message = await consumer.next({ expires: 5_000 })
        assert.equal(message?.info.deliveryCount, delivery)
      }
      const pull = consumer.next({ expires: 1_000 })
      const detail = await until(
        () => world.jobs.get(job_id),
        ({ status }) => status === 'failed',
      )
      assert.match(detail.error ?? '', /not processed after 2 deliveries/)
      assert.equal(await world.jobs.dlqCount(), 1)
      await pull
      await world.agents.undrain('omega')
      const retried = await world.jobs.retry('1', '_any')
      await until(
        () => world.jobs.get(retried.job_id),
        ({ status }) => status === 'completed',
      )
    } finally {
      await world.stop()
    }
  })
})
