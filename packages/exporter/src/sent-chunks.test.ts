import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SettledChunk } from './messages.ts'
import { SentChunks } from './sent-chunks.ts'

const patient = { timeoutMs: 60_000, stopsAtFailure: false }
const inMemory = (chunkId: number): SettledChunk => ({ chunkId, itemCount: 10, place: 'memory' })
const onDisk = (chunkId: number): SettledChunk => ({ chunkId, itemCount: 10, place: 'spool' })

function rig() {
  const freed: ArrayBufferLike[] = []
  const sent = new SentChunks((buffer) => freed.push(buffer))
  let lastId = 0
  return {
    sent,
    freed,
    /** Ten items in a buffer of 1,000 bytes; returns the id. */
    add: (): number => {
      sent.add({ itemCount: 10, bytes: new Uint8Array(new SharedArrayBuffer(1000), 0, 100) })
      return ++lastId
    },
  }
}

describe('SentChunks', () => {
  it('counts whole buffers until chunks are settled, and gives the buffers back then', () => {
    const { sent, add, freed } = rig()
    const first = add()
    const second = add()
    assert.equal(sent.bytes, 2000)
    assert.deepEqual(sent.settle([inMemory(first)]), { pendingItemCount: 10, spooledItemCount: 0 })
    assert.deepEqual(
      sent.settle([inMemory(first)]),
      { pendingItemCount: 0, spooledItemCount: 0 },
      'settled once',
    )
    assert.equal(sent.bytes, 1000)
    sent.settle([inMemory(second)])
    assert.equal(sent.bytes, 0)
    assert.equal(freed.length, 2)
  })

  it('forgets the memory of what is on disk, and gives it back when it is settled: the worker may be sending it', () => {
    const { sent, add, freed } = rig()
    const first = add()
    assert.equal(sent.spool([first, first]), 10)
    assert.equal(sent.bytes, 0)
    assert.equal(sent.isEmpty, false)
    assert.deepEqual(freed, [])
    assert.deepEqual(sent.settle([onDisk(first)]), { pendingItemCount: 0, spooledItemCount: 10 })
    assert.equal(sent.isEmpty, true)
    assert.equal(freed.length, 1)
  })

  it('never settles more from the disk than it knows there', () => {
    const { sent } = rig()
    assert.deepEqual(sent.settle([onDisk(0)]), { pendingItemCount: 0, spooledItemCount: 0 })
    assert.equal(sent.isEmpty, true)
  })

  it('gives out each chunk once, and after a crash once more', () => {
    const { sent, add } = rig()
    const ids = (): number[] => sent.takeUnposted().map(([id]) => id)
    const first = add()
    assert.deepEqual(ids(), [first])
    const second = add()
    assert.deepEqual(ids(), [second])
    assert.deepEqual(ids(), [])
    sent.settle([inMemory(first)])
    assert.deepEqual(sent.crashed(), [])
    const third = add()
    assert.deepEqual(ids(), [second, third])
    assert.deepEqual(
      sent.crashed().map(({ chunkId }) => chunkId),
      [second],
    )
  })

  it('lets a waiter wait for what was sent before it, and for no more', async () => {
    const { sent, add } = rig()
    const [first, second] = [add(), add()]
    const waiting = sent.whenSettled(patient)
    const third = add()
    sent.settle([inMemory(second)], 0)
    sent.settle([inMemory(first)], 3)
    assert.equal(await waiting, 3)
    assert.equal(sent.settle([inMemory(third)]).pendingItemCount, 10)
  })

  it('waits for what is on disk too', async () => {
    const { sent, add } = rig()
    const [first, second] = [add(), add()]
    sent.spool([first])
    let isOver = false
    const waiting = sent.whenSettled(patient).finally(() => (isOver = true))
    sent.spool([second])
    const third = add()
    sent.spool([third])
    sent.settle([onDisk(third)], 0)
    sent.settle([onDisk(first)], 0)
    await new Promise(setImmediate)
    assert.equal(isOver, false)
    sent.settle([onDisk(second)], 4)
    assert.equal(await waiting, 4)
  })

  it('does not count the failure of a later chunk', async () => {
    const { sent, add } = rig()
    const first = add()
    const waiting = sent.whenSettled(patient)
    sent.settle([inMemory(add())])
    sent.settle([inMemory(first)], 0)
    assert.equal(await waiting, 0)
  })

  it('ends the waiting when time is up, or at a failure for who wants that', async () => {
    const { sent, add } = rig()
    add()
    assert.equal(await sent.whenSettled({ timeoutMs: 1, stopsAtFailure: false }), 10)
    const waiting = sent.whenSettled({ timeoutMs: 60_000, stopsAtFailure: true })
    sent.attemptFailed()
    assert.equal(await waiting, 10)
  })
})
