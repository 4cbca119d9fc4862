import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { describe, it, mock } from 'node:test'
import { limits } from '../limits.ts'
import type { TelemetryBatch, TraceStore } from '../store.ts'
import { sampleSpan } from '../testing/sample.ts'
import { Ingest, type IngestBatch } from './ingest.ts'

const batch = (count: number): IngestBatch => ({
  signal: 'traces',
  spans: Array.from({ length: count }, () => sampleSpan()),
  logs: [],
  rejectedCount: 0,
  rejectReason: '',
})

/** A store whose disk is slow or full, as the test says. */
const storeThat = (append: (batch: TelemetryBatch) => Promise<void>): TraceStore => ({ append }) as TraceStore

describe('Ingest', () => {
  it('sends senders away while too much waits, and takes them again afterwards', async () => {
    const disk = new EventEmitter()
    const written = once(disk, 'written').then(() => undefined)
    const ingest = new Ingest(storeThat(() => written))
    const first = ingest.take(batch(limits.pendingSpansMax - 1))
    const last = ingest.take(batch(1))
    const refused = await ingest.take(batch(1))
    assert.equal(refused.kind, 'unavailable')
    disk.emit('written')
    assert.deepEqual(
      [(await first).kind, (await last).kind, (await ingest.take(batch(1))).kind],
      ['stored', 'stored', 'stored'],
    )
    assert.equal(ingest.counters.receivedSpansCount, limits.pendingSpansMax + 1)
  })

  it('tells the sender to try again when storing fails, and counts nothing as received', async (t) => {
    t.mock.method(console, 'error', mock.fn())
    const ingest = new Ingest(storeThat(() => Promise.reject(new Error('disk full'))))
    assert.deepEqual(await ingest.take(batch(1)), {
      kind: 'unavailable',
      reason: 'storing failed: disk full',
    })
    assert.equal(ingest.counters.receivedSpansCount, 0)
  })
})
