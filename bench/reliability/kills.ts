import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  ChildProgram,
  type CollectorKind,
  type Protocol,
  programs,
  protocols,
  Scene,
} from '@throughline/tests/reliability'
import { notesOf, runAll, startAgain } from './programs.ts'
import type { KillResult } from './results.ts'
import { tracedVariants, type Variant } from './variants.ts'

const spansPerSecond = 2_000
const collectors: readonly CollectorKind[] = ['there', 'refused', 'hanging']

/** SIGKILL in the middle of a steady flow. The program's own notes say what had ended, and when. */
export function measureKills(roundCount: number): Promise<KillResult[]> {
  const tasks = Array.from({ length: roundCount }).flatMap((_, round) =>
    protocols.flatMap((protocol) =>
      collectors.flatMap((collector) =>
        tracedVariants
          .filter(({ name }) => name !== 'opentelemetry-shutdown')
          .map((variant) => () => measure({ protocol, collector, variant, afterMs: 1_000 + 37 * round })),
      ),
    ),
  )
  // One at a time: here the time counts.
  return runAll('SIGKILL', tasks, 1)
}

interface Kill {
  readonly protocol: Protocol
  readonly collector: CollectorKind
  readonly variant: Variant
  readonly afterMs: number
}

async function measure({ protocol, collector, variant, afterMs }: Kill): Promise<KillResult> {
  const scene = await Scene.of({ protocol, collector, spool: variant.spool })
  try {
    const args = [join(programs, 'steady.js'), variant.setUp, String(spansPerSecond), '1000000']
    const program = new ChildProgram({ args, env: { ...scene.env, ...variant.env } })
    await program.printed(/\n/u)
    await sleep(afterMs)
    program.kill('SIGKILL')
    const end = await program.end()
    const notes = notesOf(end)
    const [ended = 0, lastMs = 0] = notes.at(-1) ?? []
    const saidByNextStart = await startAgain(variant, scene, ended)
    const arrived = new Set(scene.peer.received.names)
    const lostAges: number[] = []
    let index = 0
    for (const [endedThen = 0, thenMs = 0] of notes)
      for (; index < endedThen; index++) if (!arrived.has(`work ${index}`)) lostAges.push(lastMs - thenMs)
    return {
      protocol,
      collector,
      variant: variant.name,
      ended,
      lost: lostAges.length,
      lostBefore100Ms: lostAges.filter((age) => age > 100).length,
      oldestLostMs: Math.round(Math.max(0, ...lostAges)),
      saidByNextStart,
    }
  } finally {
    await scene.end()
  }
}
