import { type Protocol, protocols, Scene } from '@throughline/tests/reliability'
import { runAll, saidBy, startAgain, startEnds } from './programs.ts'
import type { BurstResult } from './results.ts'
import { tracedVariants, type Variant } from './variants.ts'

const count = 50_000

/** 50,000 spans in one tick; then the program lives for ten seconds, so that a batch processor has its time. */
export function measureBursts(): Promise<BurstResult[]> {
  const tasks = protocols.flatMap((protocol) =>
    tracedVariants
      .filter(({ name }) => name !== 'opentelemetry-shutdown')
      .map((variant) => () => measure(protocol, variant)),
  )
  return runAll('burst', tasks, 2)
}

async function measure(protocol: Protocol, variant: Variant): Promise<BurstResult> {
  const scene = await Scene.of({ protocol, collector: 'there', spool: variant.spool })
  try {
    const env = { PROOF_WAIT_MS: '10000' }
    const end = await startEnds(variant, scene, { way: 'wait-for', count, env }).end()
    if (scene.peer.received.spans.size < count) await startAgain(variant, scene, count)
    const lost = count - scene.peer.received.spans.size
    return { protocol, variant: variant.name, ended: count, lost, said: saidBy(end) }
  } finally {
    await scene.end()
  }
}
