import { describe, it } from 'node:test'
import {
  assertSameOutcome,
  baselineOf,
  casesOf,
  Scene,
  setUpThroughline,
  startEnds,
  titleOf,
} from './case.ts'

const count = 20

describe('an orderly end looks as without us', { concurrency: 4 }, () => {
  for (const one of casesOf({
    ways: ['natural', 'natural-code'],
    collectors: ['there', 'slow'],
    spools: ['off'],
  }))
    it(titleOf(one), async (t) => {
      const { way } = one
      const scene = await Scene.of(one)
      t.after(() => scene.end())
      const baseline = await baselineOf(way, () => startEnds({ way, count }).end())
      const end = await startEnds({ way, count, setUp: setUpThroughline, env: scene.env }).end()
      assertSameOutcome(end, baseline)
    })
})
