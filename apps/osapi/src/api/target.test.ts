import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AgentInfo } from '../job/agent-info.ts'
import { createTargetValidator, isMatch } from './target.ts'

const agent = {
  hostname: 'web-01',
  machine_id: 'abc123',
  labels: { group: 'web.dev.us-east', tier: 'front' },
} as unknown as AgentInfo

describe('a target', () => {
  it('is a hostname, a machine id or a label up to a dot', () => {
    for (const target of [
      'web-01',
      'abc123',
      'tier:front',
      'group:web',
      'group:web.dev',
      'group:web.dev.us-east',
    ]) {
      assert.equal(isMatch(agent, target), true, target)
    }
    for (const target of [
      'web',
      'WEB-01',
      'group:we',
      'group:',
      ':web',
      'group:web.dev.us',
      'constructor:x',
      'none:x',
    ]) {
      assert.equal(isMatch(agent, target), false, target)
    }
  })

  it('is looked up in a registry that is read once in five seconds', async () => {
    let now = 0
    let reads = 0
    const list = (): Promise<AgentInfo[]> => {
      reads++
      return Promise.resolve(now >= 5_000 ? [] : [agent])
    }
    const targets = createTargetValidator({ list }, () => now)
    assert.equal(await targets.check('_any'), undefined)
    assert.equal(await targets.check('_all'), undefined)
    assert.equal(reads, 0)
    assert.equal(await targets.check('web-01'), undefined)
    assert.equal(await targets.check('web-02'), 'target agent "web-02" not found')
    now = 4_999
    assert.equal(await targets.check('tier:front'), undefined)
    assert.equal(reads, 1)
    now = 5_000
    assert.equal(await targets.check('web-01'), 'target agent "web-01" not found')
    assert.equal(reads, 2)
  })

  it('is looked up again after a read that failed', async () => {
    const answers = [Promise.reject(new Error('no connection')), Promise.resolve([agent])]
    const targets = createTargetValidator({ list: () => answers.shift() ?? Promise.resolve([]) }, () => 0)
    await assert.rejects(targets.check('web-01'), /no connection/u)
    assert.equal(await targets.check('web-01'), undefined)
  })
})
