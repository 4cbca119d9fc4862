import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { SpanChunkEncoder } from '@throughline/otlp'
import { openSpool } from '@throughline/spool'
import { testSpan } from '../testing/span.ts'
import { spanNames, spoolFolder } from '../testing/spool-folder.ts'
import { openChunk } from './control.ts'
import { OpenChunkWatch } from './open-chunk-watch.ts'

/** A host's encoder, and a watch on it whose time the test moves. */
function rig(t: TestContext) {
  const spool = openSpool({ dir: join(spoolFolder(t).dir, 'traces') })
  const encoder = new SpanChunkEncoder({ createBuffer: (sizeBytes) => new SharedArrayBuffer(sizeBytes) })
  const state = new Int32Array(new SharedArrayBuffer(4 * openChunk.length))
  let due: (() => void) | undefined
  const watch = new OpenChunkWatch({
    spool,
    ageMsMax: 75,
    schedule: (callback) => {
      due = callback
      return () => {
        due = undefined
      }
    },
  })
  let spanIndex = 0
  return {
    spool,
    watch,
    state,
    end: () => {
      encoder.add(testSpan(spanIndex++))
      state[openChunk.sizeBytes] = encoder.sizeBytes
    },
    open: (chunkId: number) => {
      state[openChunk.chunkId] = chunkId
      watch.opened({ kind: 'open', chunkId, bytes: encoder.bytes, state })
    },
    tick: () => due?.(),
    isWatching: () => due !== undefined,
    heldCount: () => spool.stats().held.recordCount,
  }
}

describe('OpenChunkWatch', () => {
  it('copies what is open for too long, again when there is more, and keeps one copy', (t) => {
    const { end, open, tick, heldCount, watch, spool } = rig(t)
    end()
    open(1)
    assert.equal(heldCount(), 0)
    tick()
    assert.equal(heldCount(), 1)
    tick()
    assert.equal(spool.stats().appended.recordCount, 1, 'nothing new')
    end()
    end()
    tick()
    assert.equal(heldCount(), 1)
    const copy = watch.arrived(1)
    assert.equal(copy?.itemCount, 3)
    if (copy !== undefined) spool.giveBack(copy)
    assert.deepEqual(spanNames(spool.take()?.payload ?? new Uint8Array(0)), ['span 0', 'span 1', 'span 2'])
  })

  it('has no copy of a chunk that comes in time, and looks no more', (t) => {
    const { end, open, watch, isWatching } = rig(t)
    end()
    open(1)
    assert.equal(watch.arrived(1), undefined)
    assert.equal(isWatching(), false)
  })

  it('does not look while the host is at another chunk', (t) => {
    const { end, open, tick, heldCount, state } = rig(t)
    end()
    open(1)
    state[openChunk.chunkId] = 0
    tick()
    state[openChunk.chunkId] = 2
    tick()
    assert.equal(heldCount(), 0)
  })
})
