import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SentChunks } from './sent-chunks.ts'

const chunk = { itemCount: 10, sizeBytes: 100, bufferBytes: 1000 }
const patient = { timeoutMs: 60_000, stopsAtFailure: false }

describe('SentChunks', () => {
  it('counts the whole buffer until it is recycled, then what is used of it', () => {
    const sent = new SentChunks()
    const first = sent.add(chunk)
    const second = sent.add(chunk)
    assert.equal(sent.bytes, 2000)
    sent.recycle(first)
    assert.equal(sent.bytes, 1100)
    sent.recycle(first)
    assert.equal(sent.bytes, 1100)
    assert.equal(sent.settle([first]), 10)
    assert.equal(sent.settle([first]), 0, 'settled once')
    assert.equal(sent.bytes, 1000)
    assert.equal(sent.settle([second]), 10, 'also without having been recycled')
    assert.equal(sent.bytes, 0)
    sent.recycle(second)
    assert.equal(sent.bytes, 0)
  })

  it('lets a waiter wait for what was sent before it, and for no more', async () => {
    const sent = new SentChunks()
    const [first, second] = [sent.add(chunk), sent.add(chunk)]
    const waiting = sent.whenSettled(patient)
    const third = sent.add(chunk)
    sent.settle([second], 0)
    sent.settle([first], 3)
    assert.equal(await waiting, 3)
    assert.equal(sent.settle([third]), 10)
  })

  it('does not count the failure of a later chunk', async () => {
    const sent = new SentChunks()
    const first = sent.add(chunk)
    const waiting = sent.whenSettled(patient)
    sent.settle([sent.add(chunk)])
    sent.settle([first], 0)
    assert.equal(await waiting, 0)
  })

  it('ends the waiting when time is up, or at a failure for who wants that', async () => {
    const sent = new SentChunks()
    sent.add(chunk)
    assert.equal(await sent.whenSettled({ timeoutMs: 1, stopsAtFailure: false }), 10)
    const waiting = sent.whenSettled({ timeoutMs: 60_000, stopsAtFailure: true })
    sent.attemptFailed()
    assert.equal(await waiting, 10)
  })
})
