import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ChildProgram, type End, programs, type Scene } from '@throughline/tests/reliability'
import type { Variant } from './variants.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** How long a next start may take to deliver what it found before it is taken for all that comes. */
const nextStartMs = 4_000

/** programs/ends.ts under this variant. */
export function startEnds(
  variant: Variant,
  scene: Scene | undefined,
  options: { way: string; count: number; env?: Record<string, string>; nodeArgs?: readonly string[] },
): ChildProgram {
  const args = [join(programs, 'ends.js'), variant.setUp, options.way, String(options.count)]
  const env = { ...scene?.env, ...variant.env, ...options.env }
  return new ChildProgram({ args, env, nodeArgs: options.nodeArgs ?? [] })
}

/** The same program again, with the collector there: resolves with what it said when it has had its time. */
export async function startAgain(
  variant: Variant,
  scene: Scene,
  expectedCount: number,
): Promise<readonly string[]> {
  if (variant.spool === 'off') return []
  await scene.heal()
  const program = startEnds(variant, scene, { way: 'wait', count: 0 })
  await program.printed(/waits/u)
  const patience = new AbortController()
  const limit = sleep(nextStartMs, undefined, { signal: patience.signal }).catch(() => {})
  await Promise.race([scene.peer.received.untilSpans(expectedCount).catch(() => {}), limit])
  patience.abort()
  program.kill('SIGTERM')
  return saidBy(await program.end())
}

/** What tracing wrote: our lines, and what others write that the bare program did not. */
export function saidBy(
  end: End,
  bare: Pick<End, 'stdout' | 'stderr'> = { stdout: '', stderr: '' },
): readonly string[] {
  const known = new Set(linesOf(`${bare.stdout}\n${bare.stderr}`))
  const theirs = linesOf(`${end.stdout}\n${end.stderr}`).filter((line) => !known.has(line))
  const own = /^(?:waits$|ended \d+ spans$|ledger (?:\{.*\}|undefined)$|\d+ \d+\.\d \d+ \d+$)/u
  return [...end.ourLines, ...theirs.filter((line) => !own.test(line))]
}

/** The lines of numbers that programs/steady.ts prints. */
export function notesOf({ stdout }: End): number[][] {
  const lines = stdout.split('\n').filter((line) => /^\d+ \d+\.\d \d+ \d+$/u.test(line))
  return lines.map((line) => line.split(' ').map(Number))
}

/** Without where the repository lies on this machine. */
function linesOf(text: string): string[] {
  return text
    .replaceAll(root, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
}

/** Runs the tasks, so many at a time, and says on stderr how far it is. */
export async function runAll<T>(
  title: string,
  tasks: readonly (() => Promise<T>)[],
  concurrentMax: number,
): Promise<T[]> {
  const results: T[] = []
  let next = 0
  let doneCount = 0
  const work = async (): Promise<void> => {
    for (let index = next++; index < tasks.length; index = next++) {
      const result = await tasks[index]?.()
      if (result !== undefined) results[index] = result
      doneCount++
      process.stderr.write(`${process.stderr.isTTY ? '\r' : ''}${title}: ${doneCount} of ${tasks.length}`)
      if (!process.stderr.isTTY || doneCount === tasks.length) process.stderr.write('\n')
    }
  }
  await Promise.all(Array.from({ length: concurrentMax }, work))
  return results
}
