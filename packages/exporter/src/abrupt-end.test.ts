import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { accept, startHttpPeer, unusedPort } from './testing/http-peer.ts'
import { type ProgramEnd, runProgram } from './testing/run-program.ts'
import { spanNames, spoolFolder } from './testing/spool-folder.ts'

/** Never reached where the collector answers, however slow the machine is. */
const patientMs = 1_000_000
const stayAlive = 'setInterval(() => {}, 1000); console.log("ready");'
const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

const ends: readonly { readonly name: string; readonly program: string; readonly signal?: NodeJS.Signals }[] =
  [
    { name: 'process.exit', program: 'endSpans(9); process.exit(5)' },
    {
      name: 'process.exitCode and process.exit',
      program: 'process.exitCode = 6; endSpans(9); process.exit()',
    },
    { name: 'an uncaught exception', program: 'endSpans(9); throw new Error("planned")' },
    { name: 'an unhandled rejection', program: 'endSpans(9); Promise.reject(new Error("planned"))' },
    { name: 'an error in a timer', program: 'endSpans(9); setTimeout(() => { throw new Error("planned") })' },
    ...signals.map((signal) => ({ name: signal, program: `endSpans(9); ${stayAlive}`, signal })),
    {
      name: 'a signal that the program answers with process.exit',
      program: `process.on('SIGTERM', () => { console.log('bye'); process.exit(7) }); endSpans(9); ${stayAlive}`,
      signal: 'SIGTERM',
    },
    {
      // As signal-exit does: the last listeners raise the signal again.
      name: 'a signal whose listener counts the listeners and raises it again',
      program: `
      process.on('SIGTERM', function listener() {
        if (process.listeners('SIGTERM').length !== 1) return
        process.off('SIGTERM', listener)
        process.kill(process.pid, 'SIGTERM')
      })
      endSpans(9); ${stayAlive}`,
      signal: 'SIGTERM',
    },
    {
      name: 'a signal whose listener throws',
      program: `process.on('SIGINT', () => { throw new Error('planned') }); endSpans(9); ${stayAlive}`,
      signal: 'SIGINT',
    },
    {
      name: 'spans that end in later listeners of the exit event',
      program: `process.on('exit', () => endSpans(4)); endSpans(5); process.exit(2)`,
    },
  ]

/** What others see of an end; a stack trace names the place in the program, which is longer with an exporter in it. */
function seen({ code, signal, stdout, stderr }: ProgramEnd): object {
  const lines = stderr.split('\n').filter((line) => !line.startsWith('throughline: '))
  const places = /(?:\[eval\d*\]|file:|node:internal|:)[^\s]*:\d+|^\s*at .*$/gm
  return { code, signal, stdout, stderr: lines.join('\n').replaceAll(places, '') }
}

describe('an abrupt end with the collector there', () => {
  for (const { name, program, signal } of ends)
    it(`${name}: everything is delivered, and nobody sees a difference`, async (t) => {
      const peer = await startHttpPeer(accept)
      t.after(peer.stop)
      const exporter = { endpoint: peer.url, abruptExitTimeoutMs: patientMs }
      const options = signal === undefined ? {} : { signal }
      const bare = await runProgram(program, options)
      const traced = await runProgram(program, { ...options, exporter })
      assert.deepEqual(seen(traced), seen(bare))
      assert.doesNotMatch(traced.stderr, /throughline: /)
      const names = peer.requests.flatMap(({ body }) => spanNames(body))
      assert.deepEqual(
        names.toSorted(),
        Array.from({ length: 9 }, (_, index) => `span ${index}`),
      )
    })

  it('process.exit in a worker thread of the program delivers its spans', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const inThread = `
      import(${JSON.stringify(new URL('./index.js', import.meta.url).href)}).then(async ({ createOtlpExporter }) => {
        const { testSpan } = await import(${JSON.stringify(new URL('./testing/span.js', import.meta.url).href)})
        createOtlpExporter({
          endpoint: '${peer.url}', protocol: 'http/protobuf', resource: {}, clock: { originUnixNano: 0n },
          abruptExitTimeoutMs: ${patientMs},
        }).onEnd(testSpan(0))
        process.exit(3)
      })`
    const end = await runProgram(
      `
      import { Worker } from 'node:worker_threads'
      new Worker(${JSON.stringify(inThread)}, { eval: true }).on('exit', (code) => console.log('thread', code))`,
      {},
    )
    assert.deepEqual(end, { code: 0, signal: null, stdout: 'thread 3\n', stderr: '' })
    assert.deepEqual(
      peer.requests.flatMap(({ body }) => spanNames(body)),
      ['span 0'],
    )
  })

  it('a process that survives the signal goes on, and is saved at the next one too', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    // The first process of a container is not killed by a signal that nobody listens to.
    const end = await runProgram(
      `
      const kill = process.kill
      process.kill = () => {
        process.kill = kill
        setImmediate(() => {
          endSpans(4)
          console.log(process.listenerCount('SIGTERM'))
          kill(process.pid, 'SIGTERM')
        })
      }
      endSpans(5); ${stayAlive}`,
      { exporter: { endpoint: peer.url, abruptExitTimeoutMs: patientMs }, signal: 'SIGTERM' },
    )
    assert.deepEqual(end, { code: null, signal: 'SIGTERM', stdout: 'ready\n1\n', stderr: '' })
    assert.equal(peer.requests.flatMap(({ body }) => spanNames(body)).length, 9)
  })

  it('nothing listens to signals without an exporter, after its shutdown, or when told not to', async () => {
    const endpoint = `127.0.0.1:${await unusedPort()}`
    const count = `console.log(['SIGTERM', 'SIGINT', 'SIGHUP', 'beforeExit'].map((name) => process.listenerCount(name)).join())`
    const on = await runProgram(`${count}; await exporter.shutdown(); ${count}`, { exporter: { endpoint } })
    assert.equal(on.stdout, '1,1,1,1\n0,0,0,0\n')
    const off = await runProgram(count, { exporter: { endpoint, signals: [] } })
    assert.equal(off.stdout, '0,0,0,1\n')
  })
})

describe('an abrupt end with the collector away', () => {
  it('without a spool it is told what is lost, after one attempt', async () => {
    const endpoint = `http://127.0.0.1:${await unusedPort()}`
    const end = await runProgram('endSpans(9); process.exit(5)', {
      exporter: { endpoint, abruptExitTimeoutMs: patientMs },
    })
    assert.equal(end.code, 5)
    assert.match(end.stderr, /cannot export .*ECONNREFUSED/)
    assert.match(end.stderr, /ends with 9 spans not delivered/)
  })

  it('a collector that hangs holds the end up for the timeout only', async (t) => {
    const peer = await startHttpPeer(() => {})
    t.after(peer.stop)
    const end = await runProgram('endSpans(9); process.exit(5)', {
      exporter: { endpoint: peer.url, timeoutMs: patientMs, abruptExitTimeoutMs: 100 },
    })
    assert.equal(end.code, 5)
    assert.match(end.stderr, /ends with 9 spans not delivered/)
  })

  for (const { name, program, signal } of ends)
    it(`${name}: the spool has everything, and nobody sees a difference`, async (t) => {
      const folder = spoolFolder(t)
      const options = signal === undefined ? {} : { signal }
      const bare = await runProgram(program, options)
      const traced = await runProgram(program, {
        ...options,
        exporter: {
          endpoint: `http://127.0.0.1:${await unusedPort()}`,
          spool: { dir: folder.dir },
          abruptExitTimeoutMs: patientMs,
        },
      })
      assert.deepEqual(seen(traced), seen(bare))
      assert.deepEqual(
        folder.spanNames().toSorted(),
        Array.from({ length: 9 }, (_, index) => `span ${index}`),
      )
    })

  it('a running thread that hangs at the collector saves and is not waited for', async (t) => {
    const peer = await startHttpPeer(() => {})
    t.after(peer.stop)
    const folder = spoolFolder(t)
    const program = `
      endSpans(5)
      const spooled = setInterval(() => {
        if (exporter.ledger().spooled < 5) return
        clearInterval(spooled)
        endSpans(4)
        process.exit(3)
      }, 1)`
    const end = await runProgram(program, {
      exporter: {
        endpoint: peer.url,
        timeoutMs: patientMs,
        abruptExitTimeoutMs: patientMs,
        spool: { dir: folder.dir },
      },
    })
    assert.deepEqual(end, { code: 3, signal: null, stdout: '', stderr: '' })
    assert.equal(new Set(folder.spanNames()).size, 9)
  })

  it('SIGKILL leaves what was spooled to the next', async (t) => {
    const folder = spoolFolder(t)
    const program = `
      endSpans(9)
      setInterval(() => { if (exporter.ledger().spooled === 9) console.log('ready') }, 10)`
    const end = await runProgram(program, {
      exporter: { endpoint: `http://127.0.0.1:${await unusedPort()}`, spool: { dir: folder.dir } },
      signal: 'SIGKILL',
    })
    assert.equal(end.signal, 'SIGKILL')
    assert.equal(folder.spanNames().length, 9)
  })

  it('SIGKILL while the event loop is blocked: the export thread has seen to what nobody handed over', async (t) => {
    const folder = spoolFolder(t)
    const program = `
      import { readdirSync, statSync, writeSync } from 'node:fs'
      const dir = ${JSON.stringify(`${folder.dir}/traces`)}
      const sizeBytes = () => readdirSync(dir, { recursive: true })
        .reduce((sum, name) => sum + statSync(dir + '/' + name).size, 0)
      endSpans(5)
      const timer = setInterval(() => {
        if (exporter.ledger().spooled < 5) return
        clearInterval(timer)
        endSpans(4)
        const before = sizeBytes()
        while (sizeBytes() === before) {}
        writeSync(1, 'ready')
        for (;;) {}
      }, 1)`
    const end = await runProgram(program, {
      exporter: {
        endpoint: `http://127.0.0.1:${await unusedPort()}`,
        spool: { dir: folder.dir, mode: 'always' },
      },
      signal: 'SIGKILL',
    })
    assert.equal(end.signal, 'SIGKILL')
    assert.deepEqual(
      folder.spanNames().toSorted(),
      Array.from({ length: 9 }, (_, index) => `span ${index}`),
    )
  })

  it('neither the collector nor the disk: it is told what is lost', async () => {
    const end = await runProgram('endSpans(9); process.exit(5)', {
      exporter: { endpoint: `http://127.0.0.1:${await unusedPort()}`, spool: { dir: '/dev/null/x' } },
    })
    assert.equal(end.code, 5)
    assert.match(
      end.stderr,
      /cannot write to the spool \/dev\/null\/x\/traces: .*ENOTDIR.*9 spans wait in memory/,
    )
    assert.match(end.stderr, /ends with 9 spans not delivered/)
  })
})
