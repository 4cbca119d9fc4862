import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { describe, it } from 'node:test'
import { openSpool, type SpoolDrop } from './index.ts'
import { recordHeaderBytes, segmentHeaderBytes } from './record-format.ts'
import { abandonedSpool, append, newDir, nextSpool, takeAll } from './testing/spools.ts'

const hour = 3_600_000
const text = (name: string): string => name.padEnd(100, '.')

const bad = (options: object): unknown => {
  try {
    return openSpool({ dir: '/tmp/x', ...options })
  } catch (error) {
    return String(error)
  }
}

describe('what is appended', () => {
  it('comes back in order and once; what is held comes back when it is given back', (t) => {
    const spool = openSpool({ dir: newDir(t) })
    spool.giveBack(append(spool, 'one'))
    const held = append(spool, 'held')
    spool.giveBack(append(spool, 'three'))
    assert.deepEqual(takeAll(spool), ['one', 'three'])
    spool.giveBack(held)
    assert.deepEqual(takeAll(spool), ['held'])
    assert.deepEqual(takeAll(spool), [])
    spool.acknowledge(held)
    spool.giveBack(held)
    assert.deepEqual(takeAll(spool), [])
    assert.equal(spool.stats().acknowledged.recordCount, 3)
  })

  it('keeps its kind, item count, time and every byte', (t) => {
    const spool = openSpool({ dir: newDir(t), now: () => 1_234_567 })
    const payload = Uint8Array.from({ length: 100_000 }, (_value, index) => index * 7)
    const result = spool.append({ kind: 255, itemCount: 4_000_000_000, payload })
    assert.ok(result.ok)
    assert.deepEqual({ ...result.record }, { ...result.record, kind: 255, itemCount: 4_000_000_000 })
    payload.fill(0)
    spool.giveBack(result.record)
    const taken = spool.take()
    assert.equal(taken?.record.kind, 255)
    assert.equal(taken.record.itemCount, 4_000_000_000)
    assert.equal(taken.record.payloadBytes, 100_000)
    assert.equal(taken.record.owner, undefined)
    assert.equal(taken.appendedMs, 1_234_567)
    assert.ok(taken.payload.every((byte, index) => byte === ((index * 7) & 255)))
  })

  it('may be empty', (t) => {
    const dir = newDir(t)
    abandonedSpool({ dir }, ['', 'x', ''])
    const next = nextSpool({ dir })
    assert.equal(next.adopt().owners[0]?.recordCount, 3)
    assert.deepEqual(takeAll(next), ['', 'x', ''])
  })

  it('is refused as too large from the first byte over the limit on', (t) => {
    const spool = openSpool({ dir: newDir(t), recordBytesMax: 10 })
    append(spool, '0123456789')
    const result = spool.append({ kind: 1, itemCount: 1, payload: Buffer.alloc(11) })
    assert.deepEqual(result, {
      ok: false,
      failure: { reason: 'too_large', cause: '11 bytes; the limit is 10' },
    })
  })
})

describe('the folder', () => {
  it('is not touched until the first append, and left empty when nothing waits', (t) => {
    const dir = newDir(t)
    const spool = openSpool({ dir })
    assert.deepEqual(spool.adopt(), { owners: [], failure: undefined })
    assert.equal(spool.heartbeat(), undefined)
    assert.throws(() => readdirSync(dir))
    spool.acknowledge(append(spool, 'x'))
    assert.equal(spool.release('end'), undefined)
    assert.deepEqual(readdirSync(dir), [])
  })

  it('is the user’s alone: folders 0700, files 0600, whatever the umask', (t) => {
    const umask = process.umask(0)
    t.after(() => process.umask(umask))
    const dir = newDir(t)
    const spool = openSpool({ dir })
    append(spool, 'x')
    const own = `${dir}/o-${spool.ownerId}`
    assert.deepEqual(readdirSync(own).toSorted(), ['00000001.segment', 'owner'])
    const modes = [dir, own, `${own}/owner`, `${own}/00000001.segment`].map((path) => statSync(path).mode)
    assert.deepEqual(
      modes.map((mode) => (mode & 0o777).toString(8)),
      ['700', '700', '600', '600'],
    )
  })

  it('that was there keeps its mode', (t) => {
    const dir = newDir(t)
    mkdirSync(dir, { mode: 0o755 })
    append(openSpool({ dir }), 'x')
    assert.equal(statSync(dir).mode & 0o777, 0o755)
  })
})

describe('segments', () => {
  it('are rotated, and go when everything in them is acknowledged', (t) => {
    const dir = newDir(t)
    const spool = openSpool({ dir, segmentBytesMax: 300 })
    const records = Array.from({ length: 12 }, (_value, index) => append(spool, 'x'.repeat(60) + index))
    const own = `${dir}/o-${spool.ownerId}`
    const segments = (): string[] => readdirSync(own).filter((name) => name.endsWith('.segment'))
    assert.equal(segments().length, 6)
    for (const record of records.slice(2, 6)) spool.acknowledge(record)
    assert.equal(segments().length, 4)
    for (const record of records) spool.acknowledge(record)
    assert.deepEqual(segments(), [])
    assert.equal(spool.stats().fileBytes, 0)
    spool.giveBack(append(spool, 'more'))
    assert.deepEqual(takeAll(spool), ['more'])
  })

  it('acknowledgements in any order survive the death of the process', (t) => {
    const dir = newDir(t)
    const dead = abandonedSpool({ dir }, [])
    const records = ['a', 'b', 'c', 'd'].map((text) => append(dead, text))
    for (const index of [3, 1]) {
      const record = records[index]
      assert.ok(record)
      assert.equal(dead.acknowledge(record), undefined)
    }
    const next = nextSpool({ dir })
    assert.equal(next.adopt().owners[0]?.itemCount, 20)
    assert.deepEqual(takeAll(next), ['a', 'c'])
  })
})

describe('limits', () => {
  const recordBytes = 100 + recordHeaderBytes
  /** Room for four segments of two such records. */
  const segmentBytesMax = segmentHeaderBytes + 2 * recordBytes
  const limits = { segmentBytesMax, bytesMax: 4 * segmentBytesMax + segmentHeaderBytes }

  it('drop the oldest by segments, and count them', (t) => {
    const drops: SpoolDrop[] = []
    const spool = openSpool({ dir: newDir(t), ...limits, onDrop: (drop) => drops.push(drop) })
    for (let index = 0; index < 10; index++) spool.giveBack(append(spool, text(`${index}`)))
    assert.deepEqual(
      takeAll(spool).map((line) => line.slice(0, 1)),
      ['2', '3', '4', '5', '6', '7', '8', '9'],
    )
    assert.deepEqual(spool.stats().dropped.spool_full, { recordCount: 2, itemCount: 20, payloadBytes: 200 })
    const drop = { reason: 'spool_full', recordCount: 1, itemCount: 10, payloadBytes: 100, owner: undefined }
    assert.deepEqual(drops, [drop, drop])
  })

  it('refuse the newest when told to, and take again once there is room', (t) => {
    const spool = openSpool({ dir: newDir(t), ...limits, dropWhenFull: 'newest' })
    for (let index = 0; index < 8; index++) spool.giveBack(append(spool, text(`${index}`)))
    const payload = Buffer.from(text('refused'))
    const result = spool.append({ kind: 1, itemCount: 1, payload })
    assert.equal(result.ok ? '' : result.failure.reason, 'spool_full')
    for (let index = 0; index < 2; index++) {
      const taken = spool.take()
      assert.ok(taken)
      spool.acknowledge(taken.record)
    }
    assert.ok(spool.append({ kind: 1, itemCount: 1, payload }).ok)
  })

  it('are not reached by what is acknowledged', (t) => {
    const spool = openSpool({
      dir: newDir(t),
      bytesMax: 1_000,
      segmentBytesMax: 1_000,
      dropWhenFull: 'newest',
    })
    for (let round = 0; round < 20; round++)
      spool.acknowledge(append(spool, 'x'.repeat(round === 3 ? 900 : 100)))
    spool.giveBack(append(spool, 'x'.repeat(900)))
    assert.equal(takeAll(spool).length, 1)
  })

  it('a held record of a dropped segment is dropped when it is given back, not before', (t) => {
    const spool = openSpool({ dir: newDir(t), ...limits })
    const [first, second] = [append(spool, text('0')), append(spool, text('1'))]
    for (let index = 2; index < 10; index++) append(spool, text(`${index}`))
    assert.equal(spool.stats().dropped.spool_full.recordCount, 0)
    assert.equal(spool.acknowledge(first), undefined)
    spool.giveBack(second)
    assert.equal(spool.stats().dropped.spool_full.recordCount, 1)
    assert.deepEqual(takeAll(spool), [])
  })

  it('count the whole folder: others’ bytes too', (t) => {
    const dir = newDir(t)
    const bytesMax = 200_000
    const other = openSpool({ dir, bytesMax })
    append(other, 'x'.repeat(150_000))
    const spool = openSpool({ dir, bytesMax, dropWhenFull: 'newest' })
    const result = spool.append({ kind: 1, itemCount: 1, payload: Buffer.alloc(100_000) })
    assert.equal(result.ok ? '' : result.failure.reason, 'spool_full')
    assert.ok(spool.append({ kind: 1, itemCount: 1, payload: Buffer.alloc(1_000) }).ok)
  })

  it('make room from what the dead have left, where the own folder has nothing to give', (t) => {
    const dir = newDir(t)
    const bytesMax = 200_000
    abandonedSpool({ dir, bytesMax }, ['x'.repeat(150_000)])
    const spool = nextSpool({ dir, bytesMax })
    spool.giveBack(append(spool, 'y'.repeat(100_000)))
    assert.equal(spool.stats().dropped.spool_full.itemCount, 10)
    assert.deepEqual(
      takeAll(spool).map((line) => line[0]),
      ['y'],
    )
  })

  it('a record larger than the whole spool drops nothing else', (t) => {
    const spool = openSpool({ dir: newDir(t), bytesMax: 1_000, segmentBytesMax: 500 })
    spool.giveBack(append(spool, 'small'))
    const result = spool.append({ kind: 1, itemCount: 1, payload: Buffer.alloc(990) })
    assert.equal(result.ok ? '' : result.failure.reason, 'too_large')
    assert.deepEqual(takeAll(spool), ['small'])
  })

  it('drop what is too old: by the heartbeat, or when its turn comes', (t) => {
    let nowMs = 1_000
    const spool = openSpool({ dir: newDir(t), ageMsMax: hour, segmentBytesMax: 300, now: () => nowMs })
    for (let index = 0; index < 3; index++) spool.giveBack(append(spool, 'old'.padEnd(100)))
    nowMs += hour
    spool.giveBack(append(spool, 'young'))
    spool.heartbeat()
    assert.equal(spool.stats().dropped.spool_age.recordCount, 0)
    nowMs += 1
    spool.heartbeat()
    assert.equal(spool.stats().dropped.spool_age.recordCount, 2)
    assert.deepEqual(takeAll(spool), ['young'])
    assert.equal(spool.stats().dropped.spool_age.recordCount, 3)
  })
})

describe('the end', () => {
  it('nothing is taken or given after the release', (t) => {
    const spool = openSpool({ dir: newDir(t) })
    spool.giveBack(append(spool, 'x'))
    spool.release('')
    const result = spool.append({ kind: 1, itemCount: 1, payload: Buffer.alloc(1) })
    assert.equal(result.ok ? '' : result.failure.reason, 'closed')
    assert.equal(spool.take(), undefined)
    assert.deepEqual(spool.adopt(), { owners: [], failure: undefined })
    assert.equal(spool.heartbeat(), undefined)
    assert.equal(spool.release('again'), undefined)
  })

  it('leaves what is held or waits to the next one', (t) => {
    const dir = newDir(t)
    const spool = openSpool({ dir, name: 'shop' })
    append(spool, 'held')
    spool.giveBack(append(spool, 'waits'))
    spool.acknowledge(append(spool, 'delivered'))
    assert.equal(spool.release('SIGTERM'), undefined)
    const next = openSpool({ dir })
    const [owner] = next.adopt().owners
    assert.equal(owner?.ending, 'released')
    assert.equal(owner.reason, 'SIGTERM')
    assert.equal(owner.name, 'shop')
    assert.equal(owner.pid, process.pid)
    assert.deepEqual(takeAll(next), ['held', 'waits'])
    next.release('')
    assert.deepEqual(readdirSync(dir), [])
  })
})

describe('options', () => {
  it('that are wrong stop the start, and say what is allowed', () => {
    assert.equal(bad({ dir: '' }), 'SpoolOptionError: dir is empty; a folder is needed')
    assert.match(
      String(bad({ bytesMax: 0 })),
      /^SpoolOptionError: bytesMax is 0; an integer from 1 to \d+ is needed$/,
    )
    assert.match(String(bad({ ageMsMax: 1.5 })), /ageMsMax is 1.5/)
    assert.equal(
      bad({ dropWhenFull: 'all' }),
      'SpoolOptionError: dropWhenFull is "all"; allowed are newest, oldest',
    )
    assert.equal(bad({ sync: 'yes' }), 'SpoolOptionError: sync is "yes"; allowed are each-record, never')
  })
})
