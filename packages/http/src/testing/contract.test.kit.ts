import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { TestProvider } from './provider.test.kit.ts'

/** Registers one test of a contract. */
export type Contract = (title: string, run: (t: TestContext) => Promise<void>) => void

/** Tests over one provider, about `subject`; each fails when it leaves a span that it did not expect. */
export function contractOf({ collector, name }: TestProvider, subject?: string): Contract {
  const prefix = subject === undefined ? name : `${name}, ${subject}`
  return (title, run) => {
    test(`${prefix}: ${title}`, async (t) => {
      await run(t)
      assert.deepEqual(collector.untaken, [], 'a span too many')
    })
  }
}
