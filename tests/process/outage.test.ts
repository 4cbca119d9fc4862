import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { ChildProgram } from '../harness/child-program.ts'
import { protocols } from '../harness/peer/otlp-peer.ts'
import {
  accountOf,
  programs,
  Scene,
  type SpoolMode,
  setUpThroughline,
  startAgain,
  startEnds,
} from './case.ts'
import { spanNames } from './programs/spans.ts'

// Event by event; the outage of a minute at a steady rate, with its memory, is in bench/reliability.

for (const protocol of protocols) {
  describe(`a collector that goes away and comes back, ${protocol}`, { concurrency: 2 }, () => {
    for (const spool of ['off', 'on-failure', 'always'] satisfies SpoolMode[])
      it(`spool ${spool}: nothing is lost, and each side of it is said once`, async (t) => {
        const scene = await Scene.of({ protocol, collector: 'there', spool })
        t.after(() => scene.end())
        const program = new ChildProgram({
          args: [join(programs, 'steady.js'), setUpThroughline, '1000', '1000000'],
          env: { ...scene.env, PROOF_LEDGER: '1', PROOF_EXIT_TIMEOUT_MS: '30000' },
        })
        await scene.peer.received.untilSpans(300)
        await scene.peer.goAway()
        await program.complained(/throughline: cannot export to .*; \d+ spans? waits?/u)
        // Thousands end while it is away.
        const [, endedThen] = await program.printed(/(\d+) [\d.]+ \d+ \d+\n$/u)
        await program.noted(([count = 0]) => count >= Number(endedThen) + 2_000)
        await scene.peer.listen()
        await program.complained(/throughline: export to .* works again/u)
        program.kill('SIGUSR2')
        const end = await program.end()
        const total = accountOf(end).ended
        if (scene.peer.received.spans.size < total && spool !== 'off') await startAgain(scene, total)

        assert.deepEqual(new Set(scene.peer.received.names), new Set(spanNames(total, 'work')))
        assert.equal(end.code, 0)
        const said = (text: string): number => end.ourLines.filter((line) => line.includes(text)).length
        assert.equal(said('throughline: cannot export'), 1, end.ourLines.join('\n'))
        assert.equal(said('works again'), 1, end.ourLines.join('\n'))
        assert.deepEqual(accountOf(end), {
          ended: total,
          delivered: total,
          pending: 0,
          spooled: 0,
          dropped: {},
        })
      })
  })
}

describe('50,000 spans in one tick', { concurrency: 2 }, () => {
  const count = 50_000
  for (const protocol of protocols)
    for (const spool of ['off', 'on-failure', 'always'] satisfies SpoolMode[])
      it(`all arrive: ${protocol}, spool ${spool}`, async (t) => {
        const scene = await Scene.of({ protocol, collector: 'there', spool })
        t.after(() => scene.end())
        const env = { ...scene.env, PROOF_EXIT_TIMEOUT_MS: '30000' }
        const end = await startEnds({ way: 'natural', count, setUp: setUpThroughline, env }).end()
        const { received } = scene.peer
        if (received.spans.size < count && spool !== 'off') await startAgain(scene, count)
        assert.equal(received.spans.size, count)
        assert.equal(new Set(received.names).size, count)
        assert.equal(end.code, 0)
      })

  it('all arrive after process.exit in the same tick, at the latest with the next start', async (t) => {
    const scene = await Scene.of({ protocol: 'http/protobuf', collector: 'hanging', spool: 'on-failure' })
    t.after(() => scene.end())
    const env = { ...scene.env, PROOF_EXIT_TIMEOUT_MS: '30000' }
    const end = await startEnds({ way: 'exit-3', count, setUp: setUpThroughline, env }).end()
    assert.equal(end.code, 3)
    await startAgain(scene, count)
    assert.equal(scene.peer.received.spans.size, count)
  })
})
