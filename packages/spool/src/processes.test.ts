import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { openSpool } from './index.ts'
import { abandonedSpool, append, newDir, takeAll } from './testing/spools.ts'

const index = JSON.stringify(new URL('./index.js', import.meta.url).href)

/** Starts a program that has `openSpool`, `writeSync` and `dir`. */
function start(dir: string, program: string): ChildProcess & { readonly lines: string[] } {
  const source = `
    import { writeSync } from 'node:fs'
    import { openSpool } from ${index}
    const dir = ${JSON.stringify(dir)}
    ${program}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line)
    child.emit('line', line)
  })
  return Object.assign(child, { lines })
}

/** Appends 50 records, acknowledges half of them, says so. */
const writeFifty = (name: string, end: string): string => `
  const spool = openSpool({ dir })
  for (let number = 0; number < 50; number++) {
    const { ok, record } = spool.append({ kind: 1, itemCount: 1, payload: Buffer.from('${name}' + number) })
    if (!ok) throw new Error('not appended')
    if (number % 2) spool.acknowledge(record)
  }
  writeSync(1, 'written\\n')
  ${end}`

describe('processes that share a folder', () => {
  it('killed in the middle of its appends, one has lost nothing that was written before', async (t) => {
    const dir = newDir(t)
    for (let round = 0; round < 5; round++) {
      const child = start(
        dir,
        `const spool = openSpool({ dir })
        for (let number = 0; ; number++) {
          const payload = Buffer.alloc(200_000, ' ')
          payload.write(String(number))
          const { ok } = spool.append({ kind: 1, itemCount: 1, payload })
          writeSync(1, ok + ' ' + number + '\\n')
        }`,
      )
      t.after(() => child.kill('SIGKILL'))
      while (child.lines.length < 20 + round) await once(child, 'line')
      child.kill('SIGKILL')
      await once(child, 'close')
      const spool = openSpool({ dir })
      const { owners, failure } = spool.adopt()
      assert.equal(failure, undefined)
      const [owner] = owners
      assert.deepEqual(
        [owners.length, owner?.pid, owner?.ending, owner?.corruptCount],
        [1, child.pid, 'died', 0],
      )
      const numbers = takeAll(spool).map((text) => Number.parseInt(text, 10))
      assert.deepEqual(
        numbers,
        numbers.map((_number, at) => at),
      )
      assert.deepEqual(
        child.lines,
        child.lines.map((_line, number) => `true ${number}`),
      )
      assert.ok(numbers.length >= child.lines.length, 'what was confirmed has come back')
      spool.release('')
      assert.deepEqual(readdirSync(dir), [])
    }
  })

  it('stopped and taken for dead, one goes on elsewhere when it is woken, and nothing is lost', async (t) => {
    const dir = newDir(t)
    const child = start(
      dir,
      `const spool = openSpool({ dir })
      const pause = new Int32Array(new SharedArrayBuffer(4))
      for (let number = 0; ; number++) {
        const { ok } = spool.append({ kind: 1, itemCount: 1, payload: Buffer.from(String(number)) })
        writeSync(1, ok + ' ' + number + '\\n')
        Atomics.wait(pause, 0, 0, 5)
      }`,
    )
    t.after(() => child.kill('SIGKILL'))
    const written = async (count: number): Promise<void> => {
      while (child.lines.length < count) await once(child, 'line')
    }
    const adopter = openSpool({ dir, now: () => Date.now() + 60_000 })
    const texts: string[] = []
    for (let round = 1; round <= 5; round++) {
      await written(child.lines.length + 5)
      child.kill('SIGSTOP')
      assert.equal(adopter.adopt().failure, undefined)
      texts.push(...takeAll(adopter))
      child.kill('SIGCONT')
    }
    await written(child.lines.length + 5)
    child.kill('SIGKILL')
    await once(child, 'close')
    const last = openSpool({ dir })
    last.adopt()
    const delivered = new Set([...texts, ...takeAll(last)])
    assert.deepEqual(
      child.lines.filter((line) => !line.startsWith('true') || !delivered.has(line.slice(5))),
      [],
    )
  })

  it('several that adopt at once get every record once', async (t) => {
    const dir = newDir(t)
    const texts = Array.from({ length: 60 }, (_value, owner) => [`${owner}a`, `${owner}b`, `${owner}c`])
    const kill = start(dir, 'process.exit(0)')
    await once(kill, 'close')
    // All of them of a process that has really been, and is gone.
    const gone = { startTime: '1', bootId: '', pidNamespace: '', host: '' }
    const { systemProbe } = await import('./process-identity.ts')
    const processes = { ...systemProbe, self: () => ({ ...gone, ...systemProbe.self(), pid: kill.pid ?? 0 }) }
    for (const records of texts) abandonedSpool({ dir, processes }, records)
    const adopters = Array.from({ length: 4 }, () =>
      start(
        dir,
        `const spool = openSpool({ dir })
        writeSync(1, 'ready\\n')
        process.stdin.once('data', () => {
          const { failure } = spool.adopt()
          if (failure !== undefined) throw new Error(failure.cause)
          const lines = []
          for (let taken = spool.take(); taken !== undefined; taken = spool.take()) {
            lines.push(Buffer.from(taken.payload).toString())
            spool.acknowledge(taken.record)
          }
          spool.release('')
          process.stdout.write(lines.join('\\n') + '\\n')
          process.stdin.destroy()
        })`,
      ),
    )
    for (const child of adopters) t.after(() => child.kill('SIGKILL'))
    await Promise.all(adopters.map((child) => once(child, 'line')))
    const ends = adopters.map((child) => once(child, 'close'))
    for (const child of adopters) child.stdin?.write('go')
    await Promise.all(ends)
    const delivered = adopters.flatMap(({ lines }) => lines.slice(1).filter((line) => line !== ''))
    assert.deepEqual(delivered.toSorted(), texts.flat().toSorted())
    assert.deepEqual(readdirSync(dir), [])
  })

  it('several that write at once have a folder each; the next one adopts those that have ended', async (t) => {
    const dir = newDir(t)
    const children = ['a', 'b', 'c'].map((name) => start(dir, writeFifty(name, `spool.release('done')`)))
    const living = start(dir, writeFifty('living', 'process.stdin.resume()'))
    for (const child of [...children, living]) t.after(() => child.kill('SIGKILL'))
    const written = once(living, 'line')
    await Promise.all(children.map((child) => once(child, 'close')))
    await written
    const spool = openSpool({ dir })
    const { owners } = spool.adopt()
    assert.deepEqual(
      owners.map(({ reason, itemCount }) => [reason, itemCount]),
      [1, 2, 3].map(() => ['done', 25]),
    )
    assert.equal(takeAll(spool).length, 75)
    living.kill('SIGKILL')
    await once(living, 'close')
    assert.equal(spool.adopt().owners[0]?.itemCount, 25)
    assert.equal(takeAll(spool).length, 25)
  })
})

describe('threads that share a folder', () => {
  it('have a folder each; one that is gone is adopted when the others say so', async (t) => {
    const dir = newDir(t)
    const main = openSpool({ dir })
    append(main, 'of the main thread')
    const source = `
      const { parentPort } = require('node:worker_threads')
      import(${index}).then(({ openSpool }) => {
        const spool = openSpool({ dir: ${JSON.stringify(dir)} })
        spool.append({ kind: 1, itemCount: 1, payload: Buffer.from('of the worker') })
        parentPort.postMessage(spool.ownerId)
        parentPort.on('message', () => {})
      })`
    const worker = new Worker(source, { eval: true })
    t.after(() => worker.terminate())
    const [ownerId] = (await once(worker, 'message')) as [string]
    assert.deepEqual(main.adopt().owners, [])
    await worker.terminate()
    assert.deepEqual(main.adopt().owners, [])
    assert.equal(main.adopt({ deadOwnerIds: [ownerId] }).owners[0]?.ending, 'died')
    assert.deepEqual(takeAll(main), ['of the worker'])
  })
})
