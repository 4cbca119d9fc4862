import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { openSpool } from '@throughline/spool'
import type { SpoolConfig, WorkerMessage } from '../messages.ts'
import { spoolFolder } from '../testing/spool-folder.ts'
import { ChunkSpool } from './chunk-spool.ts'
import { chunkRecordKind } from './control.ts'
import type { QueuedChunk } from './export-request.ts'

/** A spool in a real folder, on a clock that the test moves. */
function rig(t: TestContext, changes: Partial<SpoolConfig> & { dir?: string; deadOwnerIds?: string[] } = {}) {
  const { deadOwnerIds = [], ...config } = changes
  const dir = join(config.dir ?? spoolFolder(t).dir, 'traces')
  let nowMs = 1000
  let isFailing = false
  let workCount = 0
  const timers = new Set<{ atMs: number; callback: () => void }>()
  const messages: WorkerMessage[] = []
  const spool = new ChunkSpool({
    config: {
      mode: 'on-failure',
      name: 'test',
      bytesMax: 1024 * 1024,
      ageMsMax: 1e9,
      dropWhenFull: 'oldest',
      ackMsMax: 50,
      openMsMax: 75,
      adoptIntervalMs: 10_000,
      replayBytesPerSecondMax: 1024 * 1024,
      flusher: false,
      ...config,
      dir,
    },
    deadOwnerIds,
    report: (message) => messages.push(message),
    onWork: () => workCount++,
    isFailing: () => isFailing,
    now: () => nowMs,
    schedule: (callback, delayMs) => {
      const timer = { atMs: nowMs + delayMs, callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  })
  return {
    dir,
    spool,
    messages,
    arrive: (chunkId: number, sizeBytes = 10): QueuedChunk => {
      const chunk: QueuedChunk = {
        chunkId,
        itemCount: 5,
        bytes: new Uint8Array(new SharedArrayBuffer(sizeBytes)).fill(chunkId),
        place: 'memory',
      }
      spool.arrived(chunk)
      return chunk
    },
    advance: (ms: number) => {
      nowMs += ms
      for (const timer of timers)
        if (timer.atMs <= nowMs) {
          timers.delete(timer)
          timer.callback()
        }
    },
    fail: () => {
      isFailing = true
    },
    spooledIds: () => messages.flatMap((message) => (message.kind === 'spooled' ? message.chunkIds : [])),
    failures: () => messages.filter(({ kind }) => kind === 'spool-failed').length,
    workCount: () => workCount,
  }
}

describe('ChunkSpool', () => {
  it('on-failure: writes what is not acknowledged in time, and nothing else', (t) => {
    const { spool, arrive, advance, spooledIds } = rig(t)
    const first = arrive(1)
    advance(20)
    const second = arrive(2)
    spool.settle(first)
    advance(49)
    assert.deepEqual(spooledIds(), [])
    advance(1)
    assert.deepEqual(spooledIds(), [2])
    assert.deepEqual([first.place, second.place], ['memory', 'spool'])
  })

  it('on-failure: writes at once while the collector fails', (t) => {
    const { arrive, fail, spooledIds } = rig(t)
    arrive(1)
    fail()
    arrive(2)
    assert.deepEqual(spooledIds(), [1, 2])
  })

  it('always: writes on arrival', (t) => {
    const { arrive, spooledIds } = rig(t, { mode: 'always' })
    arrive(1)
    assert.deepEqual(spooledIds(), [1])
  })

  it('gives back what is on disk, and takes it again as what it was', (t) => {
    const { spool, arrive } = rig(t, { mode: 'always' })
    const chunk = arrive(7)
    assert.equal(spool.take(), undefined, 'it is in the hands of who gave it')
    assert.equal(spool.giveBack(chunk), true)
    const taken = spool.take()
    assert.deepEqual(taken && { ...taken, bytes: [...taken.bytes] }, {
      chunkId: 7,
      itemCount: 5,
      bytes: Array<number>(10).fill(7),
      place: 'spool',
    })
    assert.ok(taken)
    spool.settle(taken)
    assert.equal(spool.take(), undefined)
  })

  it('does not give back what is in memory only', (t) => {
    const { spool, arrive } = rig(t)
    assert.equal(spool.giveBack(arrive(1)), false)
  })

  it('keeps in memory what the disk refuses, tells it, and asks again after a pause', (t) => {
    const { dir, arrive, advance, spooledIds, failures, spool } = rig(t, { mode: 'always' })
    writeFileSync(dir, 'in the way')
    const chunk = arrive(1)
    arrive(2)
    assert.equal(chunk.place, 'memory')
    assert.equal(spool.giveBack(chunk), false)
    assert.equal(failures(), 1, 'the second is not even tried')
    rmSync(dir)
    advance(999)
    assert.deepEqual(spooledIds(), [])
    advance(1)
    assert.deepEqual(spooledIds(), [1, 2])
  })

  it('adopts what a dead process has left, and tells whose it was', (t) => {
    const folder = spoolFolder(t)
    const left = openSpool({ dir: join(folder.dir, 'traces'), name: 'other' })
    left.append({ kind: chunkRecordKind, itemCount: 3, payload: new Uint8Array([1, 2]) })
    left.release('SIGTERM')
    const { spool, messages, workCount } = rig(t, { dir: folder.dir })
    spool.adopt()
    const [adopted] = messages
    assert.ok(adopted?.kind === 'adopted')
    const { name, pid, ending, reason, itemCount, isOwn } = adopted.owner
    assert.deepEqual(
      { name, pid, ending, reason, itemCount, isOwn },
      { name: 'other', pid: process.pid, ending: 'released', reason: 'SIGTERM', itemCount: 3, isOwn: false },
    )
    assert.equal(workCount(), 1)
    const taken = spool.take()
    assert.deepEqual([taken?.place, taken?.itemCount, taken?.chunkId], ['adopted', 3, 0])
  })

  it("takes the folder of this exporter's crashed thread for its own", (t) => {
    const folder = spoolFolder(t)
    const crashed = rig(t, { dir: folder.dir, mode: 'always' })
    crashed.arrive(1)
    const [owner] = crashed.messages.flatMap((message) =>
      message.kind === 'spool-owner' ? [message.ownerId] : [],
    )
    assert.ok(owner !== undefined)
    const other = rig(t, { dir: folder.dir })
    other.spool.adopt()
    assert.deepEqual(other.messages, [], 'the process lives')
    const next = rig(t, { dir: folder.dir, deadOwnerIds: [owner] })
    next.spool.adopt()
    assert.ok(next.messages[0]?.kind === 'adopted' && next.messages[0].owner.isOwn)
    assert.equal(next.spool.take()?.place, 'spool')
  })

  it('reports what the full spool drops, with its reason', (t) => {
    const { arrive, messages, spool } = rig(t, { mode: 'always', bytesMax: 1024 * 1024 })
    for (let id = 1; id <= 30; id++) spool.giveBack(arrive(id, 50_000))
    const drops = messages.filter((message) => message.kind === 'dropped')
    assert.ok(drops.length > 5, `${drops.length} dropped`)
    assert.deepEqual(drops[0], {
      kind: 'dropped',
      chunks: [{ chunkId: 0, itemCount: 5, place: 'spool' }],
      reason: 'spool_full',
      cause: 'the spool was full, and the oldest gave way',
    })
  })

  it('reads back no faster than it may', (t) => {
    const { spool, arrive, advance, workCount } = rig(t, { mode: 'always', replayBytesPerSecondMax: 1000 })
    for (let id = 1; id <= 4; id++) spool.giveBack(arrive(id, 600))
    assert.deepEqual([spool.take()?.chunkId, spool.take()?.chunkId, spool.take()], [1, 2, undefined])
    assert.equal(workCount(), 0)
    advance(220)
    assert.equal(workCount(), 1, 'it says when it may go on')
    assert.equal(spool.take()?.chunkId, 3)
    assert.equal(spool.take(), undefined)
  })
})
