import assert from 'node:assert/strict'
import * as fs from 'node:fs'
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { type AppendResult, openSpool, type Spool, type SpoolFailure, type SpoolFileSystem } from './index.ts'
import { faultyFs, shortWriteFs, systemError } from './testing/faulty-fs.ts'
import { abandonedSpool, append, newDir, nextSpool, takeAll } from './testing/spools.ts'

const record = { kind: 1, itemCount: 1, payload: Buffer.from('some payload') }
const reasonOf = (result: AppendResult): string => (result.ok ? 'ok' : result.failure.reason)

const codes = {
  ENOSPC: 'disk_full',
  EDQUOT: 'disk_full',
  EROFS: 'read_only',
  EACCES: 'no_permission',
  EIO: 'io_error',
}

describe('a disk that fails', () => {
  for (const [code, reason] of Object.entries(codes))
    it(`${code} is the reason ${reason}, wherever it comes; afterwards all goes on`, (t) => {
      for (const call of ['mkdirSync', 'openSync', 'writevSync'] as const) {
        let isBroken = true
        const faults = faultyFs({
          [call]: () => {
            if (isBroken) throw systemError(code)
          },
        })
        const dir = newDir(t)
        const spool = openSpool({ dir, fs: faults })
        const result = spool.append(record)
        assert.deepEqual(result, { ok: false, failure: { reason, cause: `${code}: injected` } })
        isBroken = false
        spool.giveBack(append(spool, 'x'))
        assert.deepEqual(takeAll(spool), ['x'])
        assert.equal(spool.release(''), undefined)
        assert.deepEqual(readdirSync(dir), [], call)
      }
    })

  it('the disk is full in the middle of a record: what was before it is whole, what comes after it too', (t) => {
    for (const size of [0, 1, 20, 45, 90]) {
      const dir = newDir(t)
      let current: SpoolFileSystem = fs
      const switched = faultyFs({})
      switched.writevSync = (...args: Parameters<typeof fs.writevSync>) => current.writevSync(...args)
      const spool = abandonedSpool({ dir, fs: switched }, ['before'])
      current = shortWriteFs(size === 0 ? [] : [size], 'ENOSPC')
      assert.equal(reasonOf(spool.append({ ...record, payload: Buffer.alloc(200, 'y') })), 'disk_full')
      current = fs
      spool.giveBack(append(spool, 'after'))
      const next = nextSpool({ dir })
      const [owner] = next.adopt().owners
      assert.deepEqual([owner?.tornCount, owner?.corruptCount, owner?.recordCount], [0, 0, 2])
      assert.deepEqual(takeAll(next), ['before', 'after'])
    }
  })

  it('a disk that is full of what is acknowledged takes the next record', (t) => {
    let sizeBytes = 0
    const dir = newDir(t)
    const small = faultyFs({})
    small.writevSync = (fd: number, parts: readonly NodeJS.ArrayBufferView[], position?: number | null) => {
      sizeBytes = (position ?? 0) + parts.reduce((sum, part) => sum + part.byteLength, 0)
      if (sizeBytes > 1_000) throw systemError('ENOSPC')
      return fs.writevSync(fd, parts, position ?? undefined)
    }
    const spool = openSpool({ dir, fs: small })
    for (let round = 0; round < 20; round++) spool.acknowledge(append(spool, 'x'.repeat(400)))
    spool.giveBack(append(spool, 'x'.repeat(400)))
    spool.giveBack(append(spool, 'x'.repeat(400)))
    assert.equal(reasonOf(spool.append({ ...record, payload: Buffer.alloc(400) })), 'disk_full')
    assert.equal(takeAll(spool).length, 2)
  })

  it('a torn record that cannot be cut off is overwritten, or skipped and counted', (t) => {
    const dir = newDir(t)
    let current: SpoolFileSystem = fs
    const switched = faultyFs({
      ftruncateSync: () => {
        throw systemError('EIO')
      },
    })
    switched.writevSync = (...args: Parameters<typeof fs.writevSync>) => current.writevSync(...args)
    const spool = abandonedSpool({ dir, fs: switched }, ['before'])
    const tear = (): void => {
      current = shortWriteFs([100], 'EIO')
      assert.equal(reasonOf(spool.append({ ...record, payload: Buffer.alloc(500, 'y') })), 'io_error')
      current = fs
    }
    tear()
    spool.giveBack(append(spool, 'after'))
    tear()
    const next = nextSpool({ dir })
    const [owner] = next.adopt().owners
    assert.deepEqual([owner?.tornCount, owner?.recordCount], [1, 2])
    assert.deepEqual(takeAll(next), ['before', 'after'])
  })

  it('a write that takes bytes piece by piece, even one by one, is whole', (t) => {
    const dir = newDir(t)
    const spool = abandonedSpool(
      {
        dir,
        fs: shortWriteFs(
          Array.from({ length: 5_000 }, () => 1),
          'EIO',
        ),
      },
      ['slow'],
    )
    assert.equal(spool.stats().waiting.recordCount, 1)
    const next = nextSpool({ dir })
    next.adopt()
    assert.deepEqual(takeAll(next), ['slow'])
  })

  it('an acknowledgement that cannot be written is a failure; the record comes twice at most', (t) => {
    const dir = newDir(t)
    const dead = abandonedSpool({ dir }, ['a', 'b'])
    const held = append(dead, 'c')
    let isBroken = false
    const faults = faultyFs({
      writevSync: () => {
        if (isBroken) throw systemError('EIO')
      },
    })
    assert.equal(dead.acknowledge(held), undefined)
    const second = nextSpool({ dir, fs: faults })
    second.adopt()
    const taken = second.take()
    assert.ok(taken)
    isBroken = true
    assert.deepEqual(second.acknowledge(taken.record), { reason: 'io_error', cause: 'EIO: injected' })
    isBroken = false
    second.release('')
    const third = nextSpool({ dir })
    third.adopt()
    assert.deepEqual(takeAll(third), ['a', 'b'])
  })

  it('what cannot be read now goes on waiting, and is told', (t) => {
    const dir = newDir(t)
    let isBroken = false
    const faults = faultyFs({
      readSync: () => {
        if (isBroken) throw systemError('EMFILE')
      },
    })
    const spool = openSpool({ dir, fs: faults })
    spool.giveBack(append(spool, 'x'))
    isBroken = true
    assert.equal(spool.take(), undefined)
    assert.equal(spool.stats().waiting.recordCount, 1)
    assert.deepEqual(spool.stats().readFailure, { reason: 'io_error', cause: 'EMFILE: injected' })
    isBroken = false
    assert.deepEqual(takeAll(spool), ['x'])
  })

  it('bytes that change while a record waits are found when it is taken, and counted', (t) => {
    const dir = newDir(t)
    const spool = openSpool({ dir })
    for (const text of ['first', 'second', 'third']) spool.giveBack(append(spool, text))
    const path = `${dir}/o-${spool.ownerId}/00000001.segment`
    const bytes = fs.readFileSync(path)
    bytes.write('S', bytes.indexOf('second'))
    writeFileSync(path, bytes)
    assert.deepEqual(takeAll(spool), ['first', 'third'])
    assert.deepEqual(spool.stats().dropped.corrupt, { recordCount: 1, itemCount: 10, payloadBytes: 6 })
  })

  it('an adoption that fails is tried again by the next call', (t) => {
    for (const call of ['readdirSync', 'renameSync', 'mkdirSync'] as const) {
      const dir = newDir(t)
      abandonedSpool({ dir }, ['x'])
      let isBroken = true
      const faults = faultyFs({
        [call]: () => {
          if (isBroken) throw systemError('EACCES')
        },
      })
      const next = nextSpool({ dir, fs: faults })
      const { owners, failure } = next.adopt()
      assert.deepEqual([owners, failure?.reason], [[], 'no_permission'], call)
      isBroken = false
      assert.equal(next.adopt().owners.length, 1)
      assert.deepEqual(takeAll(next), ['x'])
    }
  })

  it('a segment that cannot be read is left for the next owner, and told', (t) => {
    const dir = newDir(t)
    abandonedSpool({ dir, segmentBytesMax: 100 }, ['x'.repeat(80), 'y'.repeat(80)])
    let readCount = 0
    const faults = faultyFs({
      // The owner file, the first segment, the second.
      fstatSync: () => {
        if (++readCount === 3) throw systemError('EIO')
      },
    })
    const next = nextSpool({ dir, fs: faults })
    const { owners, failure } = next.adopt()
    assert.deepEqual([owners.length, failure?.reason], [1, 'io_error'])
    assert.equal(takeAll(next).length, 1)
    next.release('')
    const last = nextSpool({ dir })
    last.adopt()
    assert.equal(takeAll(last).length, 1)
  })

  it('with sync, a record that the disk did not confirm is refused', (t) => {
    let isBroken = true
    const faults = faultyFs({
      fdatasyncSync: () => {
        if (isBroken) throw systemError('EIO')
      },
    })
    const spool = openSpool({ dir: newDir(t), fs: faults, sync: 'each-record' })
    assert.equal(reasonOf(spool.append(record)), 'io_error')
    isBroken = false
    spool.giveBack(append(spool, 'x'))
    assert.deepEqual(takeAll(spool), ['x'])
  })

  it('every call may fail at any time: nothing throws, and the account stays whole', (t) => {
    const names = Object.keys(codes)
    const calls = Object.keys(fs).filter((name) => name.endsWith('Sync'))
    let seed = 1
    const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647
    let isArmed = true
    const faults = faultyFs(
      Object.fromEntries(
        calls.map((call) => [
          call,
          () => {
            if (isArmed && random() < 0.1)
              throw systemError(names[Math.floor(random() * names.length)] ?? 'EIO')
          },
        ]),
      ),
    )
    for (let round = 0; round < 200; round++) {
      const dir = newDir(t)
      isArmed = false
      abandonedSpool({ dir, segmentBytesMax: 150 }, ['a', 'b', 'c'])
      isArmed = true
      const spool = nextSpool({ dir, fs: faults, segmentBytesMax: 150, bytesMax: 2_000 })
      const failures: (SpoolFailure | undefined)[] = []
      let appendedCount = 0
      for (let step = 0; step < 20; step++) {
        failures.push(spool.adopt().failure, spool.heartbeat())
        const result = spool.append({ ...record, itemCount: 10 })
        if (result.ok) {
          appendedCount++
          if (random() < 0.5) spool.giveBack(result.record)
          else failures.push(spool.acknowledge(result.record))
        } else failures.push(result.failure)
        const taken = spool.take()
        if (taken !== undefined && random() < 0.5) failures.push(spool.acknowledge(taken.record))
        assertBalance(spool)
      }
      assert.equal(spool.stats().appended.recordCount, appendedCount)
      failures.push(spool.release(''))
      for (const failure of failures)
        if (failure !== undefined) assert.match(failure.cause, /injected|limit|holds|ENOENT|disappears/)
    }
  })
})

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)

function assertBalance(spool: Spool): void {
  const { appended, adopted, waiting, held, acknowledged, takenAway, dropped } = spool.stats()
  const dropCounts = Object.values(dropped).map(({ itemCount }) => itemCount)
  const out = [waiting, held, acknowledged, takenAway].map(({ itemCount }) => itemCount)
  assert.equal(appended.itemCount + adopted.itemCount, sum([...out, ...dropCounts]))
}

describe('a real folder that refuses', () => {
  const isRoot = process.getuid?.() === 0

  it('a file in the way of the folder', (t) => {
    const dir = newDir(t)
    writeFileSync(dir, '')
    const spool = openSpool({ dir })
    assert.equal(reasonOf(spool.append(record)), 'io_error')
    assert.equal(spool.adopt().failure?.reason, 'io_error')
    assert.ok(statSync(dir).isFile())
  })

  it('no permission: the host goes on, and so does the spool when it is given', (t) => {
    const dir = newDir(t)
    mkdirSync(dir, { mode: 0o500 })
    const spool = openSpool({ dir })
    // A permission does not stop the superuser; there a system folder that takes no files has to do.
    const refusing = isRoot ? openSpool({ dir: '/proc/self' }) : spool
    assert.match(reasonOf(refusing.append(record)), /^(no_permission|io_error)$/)
    chmodSync(dir, 0o700)
    spool.giveBack(append(spool, 'x'))
    assert.deepEqual(takeAll(spool), ['x'])
  })
})
