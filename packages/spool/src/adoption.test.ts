import assert from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { describe, it } from 'node:test'
import { crc32 } from './crc32.ts'
import { openSpool, type ProcessProbe, type SpoolOptions } from './index.ts'
import { ownerLine } from './owner-file.ts'
import { abandonedSpool, append, fakeProcess, newDir, nextSpool, takeAll } from './testing/spools.ts'

const minute = 60_000
const later = (): number => Date.now() + 10 * minute
const options = (dir: string, pid: number): SpoolOptions => ({ dir, processes: fakeProcess(pid) })

describe('who is adopted', () => {
  it('the dead at once, the living not', (t) => {
    const dir = newDir(t)
    const startedMs = Date.now() - minute
    abandonedSpool({ dir, name: 'shop', now: () => startedMs }, ['a', 'b'])
    const living = openSpool({ dir, processes: fakeProcess(3) })
    living.giveBack(append(living, 'mine'))
    const next = nextSpool({ dir })
    const { owners, failure } = next.adopt()
    assert.equal(failure, undefined)
    assert.equal(owners.length, 1)
    const { ownerId, lastSeenMs, ...owner } = owners[0] ?? assert.fail()
    assert.match(ownerId, /^[0-9a-f]{16}$/)
    assert.ok(Math.abs(Date.now() - lastSeenMs) < minute)
    assert.deepEqual(owner, {
      name: 'shop',
      pid: 1,
      host: 'host',
      startedMs,
      ending: 'died',
      reason: undefined,
      recordCount: 2,
      itemCount: 20,
      tornCount: 0,
      corruptCount: 0,
    })
    assert.deepEqual(next.stats().adopted, { recordCount: 2, itemCount: 20, payloadBytes: 2 })
    const taken = next.take()
    assert.equal(taken?.record.owner?.pid, 1)
    assert.deepEqual(takeAll(next), ['b'])
    assert.deepEqual(takeAll(living), ['mine'])
  })

  it('who cannot be asked: after a silence, not before; also when its clock was ahead', (t) => {
    const dir = newDir(t)
    const silenceMsMax = 10_000
    let nowMs = Date.now()
    const now = (): number => nowMs
    const silent = openSpool({ dir, now, processes: fakeProcess(1) })
    append(silent, 'x')
    const unknowing = { dir, now, silenceMsMax, processes: fakeProcess(2) }
    silent.heartbeat()
    const startMs = Math.floor(nowMs)
    nowMs = startMs + silenceMsMax - 1_000
    assert.deepEqual(openSpool(unknowing).adopt().owners, [])
    nowMs = startMs - silenceMsMax - 1_000
    const early = openSpool(unknowing)
    assert.equal(early.adopt().owners[0]?.ending, 'silent')
    early.release('')
    nowMs = startMs + silenceMsMax + 1_000
    assert.equal(openSpool(unknowing).adopt().owners[0]?.ending, 'silent')
  })

  it('whom the caller knows to be dead, with all that it had adopted', (t) => {
    const dir = newDir(t)
    abandonedSpool({ dir }, ['from the first'])
    const crashed = nextSpool({ dir })
    crashed.adopt()
    crashed.giveBack(append(crashed, 'from the second'))
    const next = nextSpool({ dir })
    assert.deepEqual(next.adopt().owners, [])
    const { owners } = next.adopt({ deadOwnerIds: [crashed.ownerId] })
    assert.deepEqual(
      owners.map(({ pid, ending }) => [pid, ending]),
      [
        [1, 'died'],
        [2, 'died'],
      ],
    )
    assert.deepEqual(takeAll(next), ['from the first', 'from the second'])
  })

  it('what an adopter had when it died', (t) => {
    const dir = newDir(t)
    abandonedSpool({ dir }, ['x'])
    const second = nextSpool({ dir })
    second.adopt()
    const third = openSpool({ dir, processes: fakeProcess(3, [1]) })
    assert.deepEqual(third.adopt().owners, [])
    const fourth = openSpool({ dir, processes: fakeProcess(4, [1, 2]) })
    assert.equal(fourth.adopt().owners[0]?.pid, 1)
    assert.deepEqual(takeAll(fourth), ['x'])
    fourth.release('')
    assert.deepEqual(readdirSync(dir), [])
  })

  it('what an adopter gave back, again', (t) => {
    const dir = newDir(t)
    abandonedSpool({ dir }, ['a', 'b'])
    const second = nextSpool({ dir })
    second.adopt()
    const taken = second.take()
    assert.ok(taken)
    second.acknowledge(taken.record)
    assert.equal(second.release(''), undefined)
    const third = nextSpool({ dir })
    assert.equal(third.adopt().owners[0]?.pid, 1)
    assert.deepEqual(takeAll(third), ['b'])
  })

  it('no more than is wanted, the oldest first', (t) => {
    const dir = newDir(t)
    for (const [index, text] of ['third', 'first', 'second'].entries()) {
      const spool = abandonedSpool({ dir }, [text])
      const seconds = [3, 1, 2][index] ?? 0
      utimesSync(`${dir}/o-${spool.ownerId}/owner`, seconds, seconds)
    }
    const next = nextSpool({ dir })
    assert.equal(next.adopt({ bytesMax: 1 }).owners.length, 1)
    assert.deepEqual(takeAll(next), ['first'])
    assert.equal(next.adopt({ bytesMax: 100 }).owners.length, 2)
    assert.deepEqual(takeAll(next), ['second', 'third'])
  })

  it('an owner whose file is unreadable: after a silence, with all its records', (t) => {
    const dir = newDir(t)
    const spool = abandonedSpool({ dir }, ['x'])
    writeFileSync(`${dir}/o-${spool.ownerId}/owner`, 'garbage')
    assert.deepEqual(nextSpool({ dir }).adopt().owners, [])
    const [owner] = nextSpool({ dir, now: () => Date.now() + 61 * minute }).adopt().owners
    assert.deepEqual([owner?.name, owner?.pid, owner?.ending, owner?.recordCount], ['', 0, 'silent', 1])
  })

  it('an owner whose pid was changed on disk is not taken for dead', (t) => {
    const dir = newDir(t)
    const spool = openSpool({ dir, processes: fakeProcess(3) })
    append(spool, 'x')
    const path = `${dir}/o-${spool.ownerId}/owner`
    writeFileSync(path, readFileSync(path, 'utf8').replace('"pid":3', '"pid":1'))
    assert.deepEqual(nextSpool({ dir }).adopt().owners, [])
  })
})

describe('an owner that falls silent and wakes up', () => {
  it('goes on in a new folder and loses nothing', (t) => {
    const dir = newDir(t)
    const owner = openSpool(options(dir, 1))
    const firstId = owner.ownerId
    owner.giveBack(append(owner, 'before'))
    const held = append(owner, 'held')
    const adopter = openSpool({ ...options(dir, 2), now: later })
    assert.equal(adopter.adopt().owners[0]?.recordCount, 2)
    owner.giveBack(append(owner, 'after'))
    assert.notEqual(owner.ownerId, firstId)
    owner.giveBack(held)
    const { takenAway, waiting } = owner.stats()
    assert.deepEqual([takenAway.recordCount, waiting.recordCount], [2, 1])
    assert.deepEqual(takeAll(adopter), ['before', 'held'])
    assert.deepEqual(takeAll(owner), ['after'])
    for (const spool of [owner, adopter]) assert.equal(spool.release(''), undefined)
    assert.deepEqual(readdirSync(dir), [])
  })

  it('notices at its heartbeat too, and keeps what it had adopted itself', (t) => {
    const dir = newDir(t)
    abandonedSpool({ dir }, ['from the dead'])
    const owner = openSpool({ dir, processes: fakeProcess(3, [1]) })
    owner.adopt()
    owner.giveBack(append(owner, 'own'))
    // Another process takes the own folder alone, between two looks of this one.
    renameSync(`${dir}/o-${owner.ownerId}`, `${dir}/a-${owner.ownerId}-0123456789abcdef`)
    assert.equal(owner.heartbeat(), undefined)
    assert.deepEqual(takeAll(owner), ['from the dead'])
    const last = openSpool({ dir, processes: fakeProcess(4, [3]) })
    last.adopt()
    assert.deepEqual(takeAll(last), ['own'])
  })

  it('acknowledges what it held without harm', (t) => {
    const dir = newDir(t)
    const owner = openSpool(options(dir, 1))
    const held = append(owner, 'held')
    const adopter = openSpool({ ...options(dir, 2), now: later })
    adopter.adopt()
    assert.equal(owner.acknowledge(held), undefined)
    adopter.release('')
    assert.equal(owner.release(''), undefined)
  })

  it('goes on when the whole folder was removed', (t) => {
    const dir = newDir(t)
    const owner = openSpool(options(dir, 1))
    const held = append(owner, 'gone')
    rmSync(dir, { recursive: true })
    owner.giveBack(append(owner, 'kept'))
    owner.giveBack(held)
    assert.deepEqual(takeAll(owner), ['kept'])
    rmSync(dir, { recursive: true })
    assert.equal(owner.heartbeat(), undefined)
    assert.equal(owner.release(''), undefined)
  })

  it('counts what was removed from under it', (t) => {
    const dir = newDir(t)
    const dead = abandonedSpool({ dir, segmentBytesMax: 100 }, ['x'.repeat(80), 'y'.repeat(80)])
    const next = nextSpool({ dir })
    next.adopt()
    rmSync(`${dir}/a-${dead.ownerId}-${next.ownerId}/00000001.segment`)
    assert.deepEqual(takeAll(next), ['y'.repeat(80)])
    assert.equal(next.stats().dropped.missing.recordCount, 1)
  })
})

describe('what is not ours', () => {
  it('links and files of others are left alone', (t) => {
    const dir = newDir(t)
    const dead = abandonedSpool({ dir }, ['x'])
    const own = `${dir}/o-${dead.ownerId}`
    const elsewhere = newDir(t)
    mkdirSync(elsewhere)
    writeFileSync(`${elsewhere}/00000001.segment`, readFileSync(`${own}/00000001.segment`))
    symlinkSync(elsewhere, `${dir}/o-0123456789abcdef`)
    symlinkSync(`${own}/00000001.segment`, `${own}/00000002.segment`)
    writeFileSync(`${own}/notes.txt`, 'mine')
    writeFileSync(`${dir}/readme`, 'mine')
    mkdirSync(`${dir}/o-short`)
    const next = nextSpool({ dir, now: later })
    assert.equal(next.adopt().owners.length, 1)
    assert.deepEqual(takeAll(next), ['x'])
    next.release('')
    assert.deepEqual(readdirSync(elsewhere), ['00000001.segment'])
    assert.ok(lstatSync(`${dir}/o-0123456789abcdef`).isSymbolicLink())
    const [left] = readdirSync(dir).filter((name) => name.includes(dead.ownerId))
    assert.deepEqual(readdirSync(`${dir}/${left}`).toSorted(), ['00000002.segment', 'notes.txt'])
    assert.ok(existsSync(`${dir}/readme`) && existsSync(`${dir}/o-short`))
    assert.deepEqual(nextSpool({ dir, now: later }).adopt(), {
      owners: [],
      failure: undefined,
    })
  })

  it('a segment of a later version is counted once and left, its neighbours are read', (t) => {
    const dir = newDir(t)
    const dead = abandonedSpool({ dir, segmentBytesMax: 100 }, ['x'.repeat(80), 'y'.repeat(80)])
    const path = `${dir}/o-${dead.ownerId}/00000001.segment`
    const bytes = readFileSync(path)
    bytes.writeUInt32LE(2, 8)
    bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28)
    writeFileSync(path, bytes)
    const next = nextSpool({ dir })
    assert.equal(next.adopt().owners[0]?.recordCount, 1)
    assert.deepEqual(takeAll(next), ['y'.repeat(80)])
    assert.deepEqual(next.adopt().owners, [])
    assert.equal(next.stats().damage.unknownVersionCount, 1)
    assert.deepEqual(readFileSync(path), bytes)
  })

  it('an owner of a later version is left alone', (t) => {
    const dir = newDir(t)
    const dead = abandonedSpool({ dir }, ['x'])
    const owner = { ...fakeProcess(1).self(), version: 2, name: '', startedMs: 0 }
    writeFileSync(`${dir}/o-${dead.ownerId}/owner`, ownerLine(owner))
    const next = nextSpool({ dir, now: later })
    assert.deepEqual(next.adopt(), { owners: [], failure: undefined })
    assert.deepEqual(readdirSync(`${dir}/o-${dead.ownerId}`).length, 2)
  })

  it('a folder that its owner has just made is not removed', (t) => {
    const dir = newDir(t)
    mkdirSync(`${dir}/o-0123456789abcdef`, { recursive: true })
    nextSpool({ dir }).adopt()
    assert.ok(existsSync(`${dir}/o-0123456789abcdef`))
    nextSpool({ dir, now: later }).adopt()
    assert.ok(!existsSync(`${dir}/o-0123456789abcdef`))
  })

  it('a probe that throws is a failure, not an exception', (t) => {
    const dir = newDir(t)
    abandonedSpool({ dir }, ['x'])
    const processes: ProcessProbe = {
      ...fakeProcess(2),
      isGone: () => {
        throw new Error('no /proc')
      },
    }
    assert.deepEqual(openSpool({ dir, processes }).adopt(), {
      owners: [],
      failure: { reason: 'io_error', cause: 'no /proc' },
    })
  })
})
