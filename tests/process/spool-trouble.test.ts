import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { type End, outcomeOf } from '../harness/child-program.ts'
import {
  type Account,
  accountOf,
  baselineOf,
  count,
  runToEnd,
  Scene,
  setUpThroughline,
  startAgain,
  startEnds,
} from './case.ts'

// Damage of single bytes has its own tests, ten thousand of them, in packages/spool. Here the program's side: it goes on, ends as it
// would have, and the account and one line say what happened.

interface Trouble {
  readonly name: string
  /** Makes the folder bad; returns what the program needs to meet it. */
  readonly prepare: (spoolDir: string) => {
    dir?: string
    env?: Record<string, string>
    wrap?: readonly string[]
  }
  readonly text: RegExp
}

const troubles: readonly Trouble[] = [
  {
    name: 'a path through a file',
    prepare: (spoolDir) => {
      const file = join(spoolDir, 'file')
      writeFileSync(file, '')
      return { dir: join(file, 'spool') }
    },
    text: /ENOTDIR/u,
  },
  {
    name: 'a folder without permission',
    prepare: (spoolDir) => {
      chmodSync(spoolDir, 0o500)
      // Whoever runs the tests may be root, who needs no permission: the program becomes nobody.
      return { dir: join(spoolDir, 'spool'), env: { PROOF_DROP_USER: '1' } }
    },
    text: /EACCES/u,
  },
  {
    name: 'a file system without room',
    // A limit on the size of files, for want of a disk that a test may fill; the error comes at the same place.
    prepare: () => ({ wrap: ['bash', '-c', 'ulimit -f 0; exec "$0" "$@"'] }),
    text: /EFBIG/u,
  },
]

// A program that dies of a signal cannot print its account.
const ways = ['natural', 'exit-3', 'throw']

describe('trouble with the spool is no trouble for the program', { concurrency: 4 }, () => {
  for (const trouble of troubles) {
    for (const way of ways)
      it(`${trouble.name}, collector refuses, ${way}: ends as without us, and the loss is told`, async (t) => {
        const { end, account } = await runInTrouble(trouble, way, t)
        const said = end.ourLines.join('\n')
        assert.match(said, trouble.text)
        assert.match(said, /\b20 spans\b/u)
        assert.deepEqual([account.ended, account.delivered, account.spooled], [count, 0, 0], said)
      })

    it(`${trouble.name}, collector there: everything is delivered`, async (t) => {
      const { scene, end, account } = await runInTrouble(trouble, 'natural', t, 'there')
      assert.equal(account.delivered, count, `${JSON.stringify(account)}\n${end.ourLines.join('\n')}`)
      assert.equal(scene.peer.received.spans.size, count)
    })
  }
})

async function runInTrouble(
  trouble: Trouble,
  way: string,
  t: TestContext,
  collector: 'there' | 'refused' = 'refused',
): Promise<{ scene: Scene; end: End; account: Account }> {
  const scene = await Scene.of({ protocol: 'http/protobuf', collector, spool: 'on-failure' })
  t.after(() => scene.end())
  const { dir = scene.spoolDir, env, wrap } = trouble.prepare(scene.spoolDir)
  const common = {
    PROOF_LEDGER: '1',
    ...env,
    ...(collector === 'there' && { PROOF_EXIT_TIMEOUT_MS: '30000', PROOF_SETTLE: '1' }),
  }
  const baseline = await baselineOf(way, () => runToEnd(way))
  const end = await runToEnd(way, {
    setUp: setUpThroughline,
    env: { ...scene.env, ...common, PROOF_SPOOL_DIR: dir },
    ...(wrap !== undefined && { wrap }),
  })
  const account = accountOf(end)
  assert.deepEqual({ ...outcomeOf(end), stdout: end.stdout.replace(/^ledger .*\n/mu, '') }, baseline)
  return { scene, end, account }
}

describe('a spool that is full', () => {
  it('drops the oldest, counted; the rest is delivered by the next start', async (t) => {
    const scene = await Scene.of({ protocol: 'http/protobuf', collector: 'refused', spool: 'always' })
    t.after(() => scene.end())
    const total = 20_000
    const env = {
      ...scene.env,
      PROOF_SPOOL_BYTES_MAX: String(1024 * 1024),
      PROOF_LEDGER: '1',
      PROOF_EXIT_TIMEOUT_MS: '30000',
    }
    const end = await startEnds({ way: 'exit-3', count: total, setUp: setUpThroughline, env }).end()
    assert.equal(end.code, 3)
    const account = accountOf(end)
    const said = end.ourLines.join('\n')
    assert.equal(account.pending, 0, said)
    assert.ok((account.dropped['spool_full'] ?? 0) > 0, JSON.stringify(account))
    assert.match(said, /dropped \d+ spans \(spool_full\)/u)
    await startAgain(scene, account.spooled)
    assert.equal(scene.peer.received.spans.size, account.spooled)
    // The newest are what is left.
    assert.ok(scene.peer.received.names.includes(`work ${total - 1}`))
  })
})

describe('a spool that was damaged', { concurrency: 2 }, () => {
  const damages: Readonly<Record<string, (path: string) => void>> = {
    'a torn tail': (path) => appendFileSync(path, Buffer.from([0, 0, 1, 0, 17, 4, 9])),
    'garbage behind the last record': (path) => appendFileSync(path, Buffer.alloc(1_000, 0xa5)),
    'a last record that is cut off': (path) => {
      appendFileSync(path, Buffer.alloc(10))
      truncateSync(path, 1_000_000)
    },
  }
  for (const [name, damage] of Object.entries(damages))
    it(`${name}: every record before it is delivered`, async (t) => {
      const scene = await Scene.of({ protocol: 'grpc', collector: 'refused', spool: 'on-failure' })
      t.after(() => scene.end())
      await runToEnd('exit-3', { setUp: setUpThroughline, env: scene.env })
      const paths = filesIn(scene.spoolDir).filter((path) => /\.(?:seg|segment)\b|\d+$/u.test(path))
      assert.ok(paths.length > 0, filesIn(scene.spoolDir).join('\n'))
      for (const path of paths) damage(path)
      await startAgain(scene, count)
      assert.equal(scene.peer.received.spans.size, count)
    })
})

it('a folder that is taken away while the program runs takes nothing from the program', async (t) => {
  const scene = await Scene.of({ protocol: 'http/protobuf', collector: 'hanging', spool: 'always' })
  t.after(() => scene.end())
  const env = { ...scene.env, PROOF_SETTLE: '1' }
  const program = startEnds({ way: 'wait', count, setUp: setUpThroughline, env })
  await program.printed(/waits/u)
  rmSync(scene.spoolDir, { recursive: true })
  mkdirSync(scene.spoolDir)
  program.kill('SIGTERM')
  const end = await program.end()
  const baseline = await baselineOf('SIGTERM', () => runToEnd('SIGTERM'))
  assert.deepEqual(outcomeOf(end), baseline)
})

function filesIn(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
}
