import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { World } from '../testing/world.ts'

describe('a restart of nats-server under load', () => {
  it('loses no job and runs none twice, whether it ends in order or is killed', async () => {
    const world = await World.start({ 'controller.api.job_timeout': '30s', 'nats.registry.ttl': '5s' })
    try {
      await world.worker('alpha')
      await world.worker('beta')
      const file = world.file('ran')
      const run = async (index: number) => {
        const command = `echo ${index} >> ${file}; sleep 0.2`
        const { responses } = await world.jobs.run(
          { type: 'command.shell.execute', data: { command } },
          '_any',
        )
        return responses[0]?.status
      }
      const jobsMax = 60
      const answers: Promise<string | undefined>[] = []
      let answered = 0
      for (let index = 0; index < jobsMax; index += 1) {
        answers.push(run(index).finally(() => (answered += 1)))
        if (index === 20) {
          await Promise.race(answers)
          await world.server.restart()
        }
        if (index === 40) {
          await world.server.kill()
          await world.server.restart()
        }
      }
      assert.ok(answered < jobsMax, 'the restarts came when everything was over')
      assert.deepEqual(
        await Promise.all(answers),
        Array.from({ length: jobsMax }, () => 'completed'),
      )
      const ran = (await world.marks('ran')).map(Number).toSorted((a, b) => a - b)
      assert.deepEqual(
        ran,
        Array.from({ length: jobsMax }, (_, index) => index),
      )
    } finally {
      await world.stop()
    }
  })
})
