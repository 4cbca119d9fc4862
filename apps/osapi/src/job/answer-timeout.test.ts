import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { World } from '../testing/world.ts'
import { answerTimeoutMs } from './answer-timeout.ts'

const wait = (type: string, data: unknown) => answerTimeoutMs({ type, data }, 30_000)

describe('how long a request waits for its answer', () => {
  it('is job_timeout, or what the command may take and a margin', () => {
    assert.equal(wait('node.hostname.get', {}), 30_000)
    assert.equal(wait('node.hostname.get', { timeout: 300 }), 30_000)
    assert.equal(wait('command.exec.execute', undefined), 30_000)
    assert.equal(wait('command.exec.execute', { timeout: 'long' }), 30_000)
    assert.equal(wait('command.exec.execute', { timeout: 25 }), 30_000)
    assert.equal(wait('command.exec.execute', { timeout: 26 }), 31_000)
    assert.equal(wait('command.shell.execute', { timeout: 300 }), 305_000)
  })

  it('lets a command outlast job_timeout, for one worker and for all', async () => {
    const world = await World.start({ 'controller.api.job_timeout': '200ms' })
    try {
      await world.worker('b')
      await world.worker('a')
      const slow = { type: 'command.shell.execute', data: { command: 'sleep 0.6; echo done', timeout: 20 } }
      const [one, all] = await Promise.all([world.jobs.run(slow, 'a'), world.jobs.run(slow, '_all')])
      assert.deepEqual(
        one.responses.map(({ status }) => status),
        ['completed'],
      )
      assert.deepEqual(
        all.responses.map(({ hostname, status }) => [hostname, status]),
        [
          ['a', 'completed'],
          ['b', 'completed'],
        ],
      )
    } finally {
      await world.stop()
    }
  })
})
