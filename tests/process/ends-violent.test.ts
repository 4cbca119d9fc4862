import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { describe, it } from 'node:test'
import { casesOf, count, runToEnd, Scene, setUpThroughline, startAgain, startEnds, titleOf } from './case.ts'
import { spanNames } from './programs/spans.ts'

// No code of ours runs at these ends. What is asserted is the order of events, not times: a span that has left the program's memory
// by its own account (delivered, or spooled) is never lost. How soon that is: bench/reliability measures it, and a unit test
// of the exporter holds the hand-over interval with a clock of its own.

interface Violence {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly nodeArgs?: readonly string[]
}

const ways: Readonly<Record<string, Violence>> = {
  SIGKILL: { code: null, signal: 'SIGKILL' },
  abort: { code: null, signal: 'SIGABRT' },
  'out-of-memory': { code: null, signal: 'SIGABRT', nodeArgs: ['--max-old-space-size=40'] },
  'thread-terminated': { code: 0, signal: null },
}

const collectors = ['there', 'slow', 'refused', 'hanging'] as const

describe('a violent end takes nothing that had left the memory', { concurrency: 4 }, () => {
  const cases = [
    ...casesOf({ ways: Object.keys(ways), collectors, spools: ['on-failure'] }),
    ...casesOf({ ways: Object.keys(ways), collectors: ['there', 'hanging'], spools: ['always'] }),
  ]
  for (const one of cases)
    it(titleOf(one), async (t) => {
      const { code, signal, nodeArgs = [] } = ways[one.way] ?? assert.fail()
      const scene = await Scene.of(one)
      t.after(() => scene.end())
      const env = { ...scene.env, PROOF_SETTLE: '1' }
      const end = await runToEnd(one.way, { setUp: setUpThroughline, env, nodeArgs })
      assert.deepEqual([end.code, end.signal], [code, signal])

      const names = [
        ...spanNames(count, 'work'),
        ...(one.way === 'thread-terminated' ? spanNames(count, 'thread') : []),
      ]
      const { received } = scene.peer
      if (received.spans.size < names.length) {
        const lines = await startAgain(scene, names.length)
        const adopted = lines.filter((line) => /adopted \d+ spans? /u.test(line))
        assert.ok(adopted.length > 0, `nothing is said of adoption:\n${lines.join('\n')}`)
      }
      assert.deepEqual(received.names.toSorted(), names.toSorted())
      assert.ok(received.deliveriesMax <= 2)
    })
})

describe('the next start says how many spans it adopted, of whom', { concurrency: 2 }, () => {
  it('of a process killed by SIGKILL', async (t) => {
    const scene = await Scene.of({ protocol: 'http/protobuf', collector: 'refused', spool: 'on-failure' })
    t.after(() => scene.end())
    const env = { ...scene.env, PROOF_SETTLE: '1' }
    const program = startEnds({ way: 'wait', count, setUp: setUpThroughline, env })
    await program.printed(/waits/u)
    program.kill('SIGKILL')
    await program.end()
    const lines = await startAgain(scene, count)
    const adopted = lines.filter((line) => line.includes('adopted'))
    assert.equal(adopted.length, 1, lines.join('\n'))
    assert.match(adopted[0] ?? '', new RegExp(`adopted ${count} spans .*process ${program.pid}\\b`, 'u'))
  })

  it('an event loop that is blocked does not keep spans in memory: SIGKILL finds them on disk', async (t) => {
    // In this mode a span is on disk before it is sent.
    const scene = await Scene.of({ protocol: 'http/protobuf', collector: 'hanging', spool: 'always' })
    t.after(() => scene.end())
    // Ends a span, works without a break until the interval of hand-over is long over, ends another one, and never comes back.
    const program = startEnds({ way: 'block', count: 1, setUp: setUpThroughline, env: scene.env })
    await program.printed(/blocks/u)
    await scene.peer.received.untilSeen(2)
    program.kill('SIGKILL')
    await program.end()
    await startAgain(scene, 2)
    assert.deepEqual(scene.peer.received.names.toSorted(), ['late 0', 'work 0'])
  })
})

describe('a folder without a trace of a program', () => {
  it('is left when all was delivered', async (t) => {
    const scene = await Scene.of({ protocol: 'http/protobuf', collector: 'there', spool: 'always' })
    t.after(() => scene.end())
    const end = await runToEnd('natural', {
      setUp: setUpThroughline,
      env: { ...scene.env, PROOF_SETTLE: '1' },
    })
    assert.deepEqual(end.ourLines, [])
    const left = readdirSync(scene.spoolDir, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    )
    assert.deepEqual(
      left.map(({ name }) => name),
      [],
    )
  })
})
