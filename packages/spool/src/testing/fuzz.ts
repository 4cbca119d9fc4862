import { inspect } from 'node:util'
import * as fc from 'fast-check'

const variable = 'FUZZ_SEED'
const seed = Number(process.env[variable] ?? Date.now() & 0x7fffffff)

/** Runs a property; a failure names the seed, and `FUZZ_SEED=<seed>` replays it. */
export function fuzz<T extends [unknown, ...unknown[]]>(property: fc.IProperty<T>, runs: number): void {
  console.log(`${variable}=${seed}`)
  const result = fc.check(property, { seed, numRuns: Number(process.env['FUZZ_RUNS'] ?? runs) })
  if (!result.failed) return
  const counterexample = inspect(result.counterexample, { depth: 12, maxArrayLength: 40 })
  throw new Error(`${variable}=${seed} fails after ${result.numRuns} runs for ${counterexample}`, {
    cause: result.errorInstance,
  })
}
