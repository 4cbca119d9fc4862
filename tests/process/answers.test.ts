import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import type { End } from '../harness/child-program.ts'
import type { Answer } from '../harness/peer/answer.ts'
import { type Protocol, protocols } from '../harness/peer/otlp-peer.ts'
import type { Environment } from '../harness/processes.ts'
import {
  type Account,
  accountOf,
  count,
  runToEnd,
  Scene,
  type SpoolMode,
  setUpThroughline,
  startAgain,
  startEnds,
} from './case.ts'

// What a collector can answer, what becomes of the spans, and what is said of it, word for word.

interface Question {
  readonly name: string
  readonly answer: Answer
  /** What our line says of it, by protocol. */
  readonly text: Readonly<Record<Protocol, RegExp>>
}

/** For answers that end it: the reason in the ledger, too. */
interface LastAnswer extends Question {
  readonly dropped: Readonly<Record<Protocol, Readonly<Record<string, number>>>>
}

const lastAnswers: readonly LastAnswer[] = [
  {
    name: '400',
    answer: { kind: 'refuse', status: 400, message: 'malformed' },
    text: {
      grpc: /^throughline: dropped 20 spans \(grpc_INVALID_ARGUMENT\): gRPC INVALID_ARGUMENT: malformed$/u,
      'http/protobuf': /^throughline: dropped 20 spans \(http_400\): HTTP 400: malformed$/u,
    },
    dropped: { grpc: { grpc_INVALID_ARGUMENT: count }, 'http/protobuf': { http_400: count } },
  },
  {
    name: '401',
    answer: { kind: 'refuse', status: 401, message: 'who are you' },
    text: {
      grpc: /^throughline: dropped 20 spans \(grpc_UNAUTHENTICATED\): gRPC UNAUTHENTICATED: who are you$/u,
      'http/protobuf': /^throughline: dropped 20 spans \(http_401\): HTTP 401: who are you$/u,
    },
    dropped: { grpc: { grpc_UNAUTHENTICATED: count }, 'http/protobuf': { http_401: count } },
  },
  {
    name: '413 to what cannot be made smaller',
    answer: { kind: 'refuse', status: 413, message: 'too large' },
    text: {
      grpc: /^throughline: dropped 20 spans \(grpc_RESOURCE_EXHAUSTED\): gRPC RESOURCE_EXHAUSTED: too large$/u,
      'http/protobuf': /^throughline: dropped 20 spans \(http_413\): HTTP 413: too large$/u,
    },
    dropped: { grpc: { grpc_RESOURCE_EXHAUSTED: count }, 'http/protobuf': { http_413: count } },
  },
  {
    name: 'partial success',
    answer: { kind: 'partial', rejectedCount: 7, message: 'clock skew' },
    text: {
      grpc: /^throughline: dropped 7 spans \(rejected\): clock skew$/u,
      'http/protobuf': /^throughline: dropped 7 spans \(rejected\): clock skew$/u,
    },
    dropped: { grpc: { rejected: 7 }, 'http/protobuf': { rejected: 7 } },
  },
  {
    name: 'success with garbage',
    answer: { kind: 'garbage' },
    text: {
      grpc: /^throughline: http:\S+ says: the answer is no OTLP response \(.+\)$/u,
      'http/protobuf':
        /^throughline: http:\S+\/v1\/traces says: the answer is no OTLP response \(content-type text\/html\)$/u,
    },
    dropped: { grpc: {}, 'http/protobuf': {} },
  },
]

const passingAnswers: readonly Question[] = [
  {
    name: '429 with Retry-After',
    answer: { kind: 'refuse', status: 429, message: 'slow down', retryAfterSeconds: 1 },
    text: { grpc: /gRPC RESOURCE_EXHAUSTED: slow down/u, 'http/protobuf': /HTTP 429: slow down/u },
  },
  {
    name: '503',
    answer: { kind: 'refuse', status: 503, message: 'not now' },
    text: { grpc: /gRPC UNAVAILABLE: not now/u, 'http/protobuf': /HTTP 503: not now/u },
  },
  {
    name: 'half an answer',
    answer: { kind: 'half' },
    text: { grpc: /ECONNRESET|without a gRPC status/u, 'http/protobuf': /ECONNRESET/u },
  },
  {
    name: 'a reset connection',
    answer: { kind: 'reset' },
    text: { grpc: /ECONNRESET|without a gRPC status/u, 'http/protobuf': /ECONNRESET/u },
  },
]

async function sceneOf(t: TestContext, protocol: Protocol, spool: SpoolMode): Promise<Scene> {
  const scene = await Scene.of({ protocol, collector: 'there', spool })
  t.after(() => scene.end())
  return scene
}

/** Lives until nothing is in memory only, then ends by itself, with its account. */
async function run(scene: Scene, extra: Environment = {}): Promise<{ end: End; account: Account }> {
  const env = { ...scene.env, PROOF_SETTLE: '1', PROOF_LEDGER: '1', PROOF_EXIT_TIMEOUT_MS: '30000', ...extra }
  const end = await runToEnd('natural', { setUp: setUpThroughline, env })
  assert.deepEqual([end.code, end.stderr], [0, ''])
  return { end, account: accountOf(end) }
}

describe('an answer that ends it is told, and counted under its reason', { concurrency: 4 }, () => {
  for (const { name, answer, text, dropped } of lastAnswers)
    for (const protocol of protocols)
      it(`${name}, ${protocol}`, async (t) => {
        const scene = await sceneOf(t, protocol, 'off')
        scene.peer.answer(answer)
        const { end, account } = await run(scene)
        assert.equal(end.ourLines.length, 1, end.ourLines.join('\n'))
        assert.match(end.ourLines[0] ?? '', text[protocol])
        const droppedCount = Object.values(dropped[protocol]).reduce((sum, value) => sum + value, 0)
        const delivered = count - droppedCount
        assert.deepEqual(account, {
          ended: count,
          delivered,
          pending: 0,
          spooled: 0,
          dropped: dropped[protocol],
        })
        assert.equal(scene.peer.received.requestCount, 1)
      })
})

describe('an answer that may pass is told, the spans are sent again, and the recovery is told', {
  concurrency: 4,
}, () => {
  for (const { name, answer, text } of passingAnswers)
    for (const protocol of protocols)
      it(`${name}, ${protocol}`, async (t) => {
        const scene = await sceneOf(t, protocol, 'off')
        scene.peer.answer((index) => (index === 0 ? answer : { kind: 'accept' }))
        const { end, account } = await run(scene)
        const [first = '', second = ''] = end.ourLines
        assert.equal(end.ourLines.length, 2, end.ourLines.join('\n'))
        assert.match(first, /^throughline: cannot export to http:\S+: .+; 20 spans wait/u)
        assert.match(first, text[protocol])
        assert.match(second, /^throughline: export to http:\S+ works again after \d+ s/u)
        assert.deepEqual(account, { ended: count, delivered: count, pending: 0, spooled: 0, dropped: {} })
        assert.equal(scene.peer.received.spans.size, count)
        if (name.includes('Retry-After')) assertPatience(scene)
      })
})

/** The second request came no sooner than the collector wished. */
function assertPatience({ peer }: Scene): void {
  const [firstMs = 0, secondMs = 0] = peer.received.requestTimesMs
  assert.ok(secondMs - firstMs >= 900, `sent again after ${secondMs - firstMs} ms`)
}

describe('an answer that does not pass leaves the spans in the spool for the next start', {
  concurrency: 4,
}, () => {
  for (const { name, answer, text } of passingAnswers)
    for (const protocol of protocols)
      it(`${name}, ${protocol}`, async (t) => {
        const scene = await sceneOf(t, protocol, 'on-failure')
        scene.peer.answer(answer)
        const env = { ...scene.env, PROOF_SETTLE: '1', PROOF_LEDGER: '1', PROOF_EXIT_TIMEOUT_MS: '30000' }
        const program = startEnds({ way: 'wait-then-exit', count, setUp: setUpThroughline, env })
        // Each of both may come first.
        await program.printed(/waits/u)
        await program.complained(/throughline: cannot export/u)
        program.kill('SIGUSR2')
        const end = await program.end()
        const account = accountOf(end)
        const [first = ''] = end.ourLines
        assert.match(first, /^throughline: cannot export to http:\S+: .+; 20 spans/u)
        assert.match(first, text[protocol])
        assert.ok(first.includes(scene.spoolDir), `${first} does not say where the spans are`)
        assert.deepEqual(account, { ended: count, delivered: 0, pending: 0, spooled: count, dropped: {} })
        const lines = await startAgain(scene, count)
        assert.match(lines[0] ?? '', /^throughline: adopted 20 spans /u)
      })
})

it('a refusal takes the spans out of the spool, too', async (t) => {
  const scene = await sceneOf(t, 'http/protobuf', 'always')
  scene.peer.answer({ kind: 'refuse', status: 400, message: 'malformed' })
  const { end, account } = await run(scene, { PROOF_SETTLE: 'spool' })
  assert.match(end.ourLines.join('\n'), /dropped 20 spans \(http_400\)/u)
  assert.deepEqual(account.dropped, { http_400: count })
})
