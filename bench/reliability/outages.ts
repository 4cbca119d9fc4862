import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ChildProgram, type Protocol, programs, protocols, Scene } from '@throughline/tests/reliability'
import { notesOf, runAll, saidBy, startAgain } from './programs.ts'
import type { OutageResult } from './results.ts'
import { tracedVariants, type Variant } from './variants.ts'

export interface OutageOptions {
  readonly spansPerSecond: number
  readonly outageMs: number
}

const thereBeforeMs = 3_000
/** How long the flow goes on after the collector is back, and how long the program lives after that. */
const thereAfterMs = 10_000
const waitMs = 20_000

/** The collector is away in the middle of a steady flow; the program goes on, then waits, then ends by itself. */
export function measureOutages(options: OutageOptions): Promise<OutageResult[]> {
  const tasks = protocols.flatMap((protocol) =>
    tracedVariants
      .filter(({ name }) => name !== 'opentelemetry-shutdown')
      .map((variant) => () => measure(protocol, variant, options)),
  )
  return runAll(`outage of ${options.outageMs / 1000} s`, tasks, 2)
}

async function measure(protocol: Protocol, variant: Variant, options: OutageOptions): Promise<OutageResult> {
  const { spansPerSecond, outageMs } = options
  const scene = await Scene.of({ protocol, collector: 'there', spool: variant.spool })
  try {
    const ended = (spansPerSecond * (thereBeforeMs + outageMs + thereAfterMs)) / 1000
    const args = [join(programs, 'steady.js'), variant.setUp, String(spansPerSecond), String(ended)]
    const env = { ...scene.env, ...variant.env, PROOF_WAIT_MS: String(waitMs), PROOF_LEDGER: '1' }
    const program = new ChildProgram({ args, env, limitMs: 10 * 60_000 })
    await program.printed(/\n/u)
    await sleep(thereBeforeMs)
    await scene.peer.goAway()
    await sleep(outageMs)
    await scene.peer.listen()
    const end = await program.end()
    if (scene.peer.received.spans.size < ended) await startAgain(variant, scene, ended)
    const notes = notesOf(end)
    const before = notes.filter(([count = 0]) => count < (spansPerSecond * thereBeforeMs) / 1000)
    return {
      protocol,
      variant: variant.name,
      spansPerSecond,
      outageMs,
      ended,
      lost: ended - scene.peer.received.spans.size,
      rssMibBefore: mebibytes(Math.max(...before.map(([, , rss = 0]) => rss))),
      rssMibMax: mebibytes(Math.max(...notes.map(([, , rss = 0]) => rss))),
      heapMibMax: mebibytes(Math.max(...notes.map(([, , , heap = 0]) => heap))),
      said: saidBy(end),
      ledger: ledgerOf(end.stdout),
    }
  } finally {
    await scene.end()
  }
}

/** What the program says of its account; empty where it has none. */
export function ledgerOf(text: string): string {
  return /^ledger (\{.*\})$/mu.exec(text)?.[1] ?? ''
}

function mebibytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}
