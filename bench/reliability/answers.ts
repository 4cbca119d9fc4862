import { type Answer, type Protocol, protocols, Scene } from '@throughline/tests/reliability'
import { ledgerOf } from './outages.ts'
import { runAll, saidBy, startEnds } from './programs.ts'
import type { AnswerResult } from './results.ts'
import { tracedVariants, type Variant } from './variants.ts'

const count = 100
/** The longest batch delay (5 s), a Retry-After of 2 s, and several repetitions. */
const waitMs = 15_000

const answers: Readonly<Record<string, Answer>> = {
  '400': { kind: 'refuse', status: 400, message: 'malformed' },
  '401': { kind: 'refuse', status: 401, message: 'who are you' },
  '413': { kind: 'refuse', status: 413, message: 'too large' },
  '429, Retry-After 2 s': { kind: 'refuse', status: 429, message: 'slow down', retryAfterSeconds: 2 },
  '503': { kind: 'refuse', status: 503, message: 'not now' },
  'partial success': { kind: 'partial', rejectedCount: 7, message: 'clock skew' },
  garbage: { kind: 'garbage' },
  'half an answer': { kind: 'half' },
  reset: { kind: 'reset' },
}

/** Each answer to the first request only, and to all of them; the program lives for 15 s, then ends by itself. */
export function measureAnswers(): Promise<AnswerResult[]> {
  const tasks = Object.entries(answers).flatMap(([name, answer]) =>
    (['once', 'always'] as const).flatMap((given) =>
      protocols.flatMap((protocol) =>
        tracedVariants
          .filter(({ name }) => name !== 'opentelemetry-shutdown')
          .map((variant) => () => measure({ name, answer, given, protocol, variant })),
      ),
    ),
  )
  return runAll('answers', tasks, 12)
}

interface Question {
  readonly name: string
  readonly answer: Answer
  readonly given: 'once' | 'always'
  readonly protocol: Protocol
  readonly variant: Variant
}

async function measure({ name, answer, given, protocol, variant }: Question): Promise<AnswerResult> {
  const scene = await Scene.of({ protocol, collector: 'there', spool: variant.spool })
  try {
    scene.peer.answer((index) => (index === 0 || given === 'always' ? answer : { kind: 'accept' }))
    const env = { PROOF_WAIT_MS: String(waitMs), PROOF_LEDGER: '1' }
    const end = await startEnds(variant, scene, { way: 'wait-for', count, env }).end()
    const { received } = scene.peer
    return {
      protocol,
      variant: variant.name,
      answer: name,
      given,
      ended: count,
      // The collector took all but those that it says it did not.
      arrived:
        answer.kind === 'partial' && given === 'always' ? count - answer.rejectedCount : received.spans.size,
      requestCount: received.requestCount,
      said: saidBy(end),
      ledger: ledgerOf(end.stdout),
    }
  } finally {
    await scene.end()
  }
}
