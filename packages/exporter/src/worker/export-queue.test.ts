import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ExportEvent } from '../messages.ts'
import type { Answer, Transport } from './answer.ts'
import { ExportQueue } from './export-queue.ts'

const accepted: Answer = { kind: 'accepted', rejectedItemCount: 0, note: '' }
const unavailable: Answer = { kind: 'retry', cause: 'HTTP 503', delayMs: undefined }

/** A queue on a clock that the test moves, with a collector that answers when the test says. */
function rig(
  options: { requestBytesMax?: number; concurrentRequestsMax?: number; elapsedMsMax?: number } = {},
) {
  let nowMs = 0
  const timers = new Set<{ atMs: number; callback: () => void }>()
  const events: ExportEvent[] = []
  const calls: { body: Uint8Array; answer: (answer: Answer) => Promise<void> }[] = []
  const transport: Transport = {
    send: (body) =>
      new Promise((resolve) => {
        calls.push({
          body,
          answer: async (answer) => {
            resolve(answer)
            // The queue acts on the answer in a microtask.
            await new Promise(setImmediate)
          },
        })
      }),
    close: () => {},
  }
  const queue = new ExportQueue({
    transport,
    retry: { initialDelayMs: 1000, delayMsMax: 30_000, elapsedMsMax: options.elapsedMsMax ?? 600_000 },
    requestBytesMax: options.requestBytesMax ?? 100,
    concurrentRequestsMax: options.concurrentRequestsMax ?? 1,
    report: (event) => events.push(event),
    now: () => nowMs,
    random: () => 0.5,
    schedule: (callback, delayMs) => {
      const timer = { atMs: nowMs + delayMs, callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  })
  return {
    queue,
    events,
    calls,
    add: (chunkId: number, sizeBytes = 10) =>
      queue.add({
        chunkId,
        itemCount: 1,
        bytes: new Uint8Array(sizeBytes).fill(chunkId),
        place: 'memory',
      }),
    advance: (ms: number) => {
      nowMs += ms
      for (const timer of timers)
        if (timer.atMs <= nowMs) {
          timers.delete(timer)
          timer.callback()
        }
    },
    /** Answers the latest call. */
    answer: async (answer: Answer) => {
      await calls.at(-1)?.answer(answer)
    },
    timerCount: () => timers.size,
  }
}

const chunk = (chunkId: number) => ({ chunkId, itemCount: 1, place: 'memory' })
const kinds = (events: readonly ExportEvent[]): string[] => events.map((event) => event.kind)

describe('ExportQueue', () => {
  it('joins what waits into requests up to the size limit', async () => {
    const { add, calls, answer, events } = rig({ requestBytesMax: 25 })
    for (const chunkId of [1, 2, 3, 4]) add(chunkId)
    assert.deepEqual([...(calls[0]?.body ?? [])], Array<number>(10).fill(1), 'the first goes at once')
    await answer(accepted)
    assert.deepEqual(
      [...(calls[1]?.body ?? [])],
      [...Array<number>(10).fill(2), ...Array<number>(10).fill(3)],
    )
    await answer(accepted)
    await answer(accepted)
    assert.equal(calls.length, 3)
    assert.deepEqual(
      events.map((event) => event.kind === 'delivered' && event.chunks.map(({ chunkId }) => chunkId)),
      [[1], [2, 3], [4]],
    )
  })

  it('sends a chunk that is larger than the limit by itself', () => {
    const { add, calls } = rig({ requestBytesMax: 5 })
    add(1, 50)
    assert.equal(calls[0]?.body.length, 50)
  })

  it('has no more requests on the way than allowed', () => {
    const { add, calls } = rig({ concurrentRequestsMax: 2, requestBytesMax: 1 })
    for (const chunkId of [1, 2, 3]) add(chunkId)
    assert.equal(calls.length, 2)
  })

  it('backs off exponentially with jitter and forgets the failures after a success', async () => {
    const { add, answer, events, calls, advance } = rig()
    add(1)
    for (const delayMs of [500, 1000, 2000, 4000, 8000, 15_000, 15_000]) {
      await answer(unavailable)
      assert.deepEqual(events.at(-1), { kind: 'attempt-failed', cause: 'HTTP 503', retryDelayMs: delayMs })
      const callCount = calls.length
      advance(delayMs - 1)
      assert.equal(calls.length, callCount, 'not a moment earlier')
      advance(1)
      assert.equal(calls.length, callCount + 1)
    }
    await answer(accepted)
    assert.equal(events.at(-1)?.kind, 'delivered')
    add(2)
    await answer(unavailable)
    assert.deepEqual(events.at(-1), { kind: 'attempt-failed', cause: 'HTTP 503', retryDelayMs: 500 })
  })

  it('waits as long as the collector asks for, and a flush does not cut that short', async () => {
    const { add, answer, queue, calls, advance, events } = rig()
    add(1)
    await answer({ kind: 'retry', cause: 'HTTP 429', delayMs: 7000 })
    advance(2000)
    queue.flush()
    assert.equal(calls.length, 1)
    assert.deepEqual(events.at(-1), { kind: 'attempt-failed', cause: 'HTTP 429', retryDelayMs: 5000 })
    advance(5000)
    assert.equal(calls.length, 2)
  })

  it('tries at once on flush when it only backs off', async () => {
    const { add, answer, queue, calls, timerCount } = rig()
    add(1)
    await answer(unavailable)
    queue.flush()
    assert.equal(calls.length, 2)
    assert.equal(timerCount(), 0)
  })

  it('gives a request up when the next attempt would come too late', async () => {
    const { add, answer, events, advance } = rig({ elapsedMsMax: 1500 })
    add(1)
    await answer(unavailable)
    advance(500)
    await answer(unavailable)
    advance(1000)
    assert.deepEqual(
      kinds(events),
      ['attempt-failed', 'attempt-failed'],
      '1500 ms is the last allowed moment',
    )
    await answer(unavailable)
    assert.deepEqual(events.at(-1), {
      kind: 'dropped',
      chunks: [chunk(1)],
      reason: 'retry_exhausted',
      cause: 'HTTP 503',
    })
  })

  it('does not let a request that always fails hold up the others', async () => {
    const { calls, add, events, advance } = rig({ requestBytesMax: 1 })
    for (const chunkId of [1, 2, 3, 4]) add(chunkId)
    for (let step = 0; step < 9; step++) {
      const call = calls.at(-1)
      await call?.answer(call.body[0] === 1 ? unavailable : accepted)
      advance(30_000)
    }
    const delivered = events.flatMap((event) =>
      event.kind === 'delivered' ? event.chunks.map(({ chunkId }) => chunkId) : [],
    )
    assert.deepEqual(delivered, [2, 3, 4])
  })

  it('probes with one request while the collector fails, and counts simultaneous failures once', async () => {
    const { calls, add, advance, events } = rig({ requestBytesMax: 1, concurrentRequestsMax: 3 })
    for (const chunkId of [1, 2, 3, 4, 5]) add(chunkId)
    assert.equal(calls.length, 3)
    for (const call of calls.slice(0, 3)) await call.answer(unavailable)
    assert.deepEqual(
      events.map((event) => event.kind === 'attempt-failed' && event.retryDelayMs),
      [500, 500, 500],
    )
    advance(500)
    assert.equal(calls.length, 4, 'one probe')
    await calls[3]?.answer(accepted)
    assert.equal(calls.length, 7, 'all of them again')
  })

  it('reports a refusal and goes on', async () => {
    const { add, answer, events, calls } = rig()
    add(1)
    add(2)
    await answer({ kind: 'refused', cause: 'HTTP 400: bad', reason: 'http_400' })
    assert.deepEqual(events, [
      { kind: 'dropped', chunks: [chunk(1)], reason: 'http_400', cause: 'HTTP 400: bad' },
    ])
    assert.equal(calls.length, 2)
  })

  it('sends in smaller parts what is too large, and drops only a chunk that is too large by itself', async () => {
    const { add, calls, answer, events } = rig({ requestBytesMax: 100 })
    const tooLarge: Answer = { kind: 'too-large', cause: 'HTTP 413', reason: 'http_413' }
    add(1)
    for (const chunkId of [2, 3, 4, 5]) add(chunkId)
    await answer(accepted)
    const sizes = (): number[] => calls.map(({ body }) => body.length)
    assert.deepEqual(sizes(), [10, 40])
    await answer(tooLarge)
    assert.deepEqual(sizes(), [10, 40, 20], 'half of it, at once')
    await answer(tooLarge)
    await answer(tooLarge)
    assert.deepEqual(events.at(-1), {
      kind: 'dropped',
      chunks: [chunk(2)],
      reason: 'http_413',
      cause: 'HTTP 413',
    })
    for (let rest = 0; rest < 3; rest++) await answer(accepted)
    assert.deepEqual(
      events.flatMap((event) =>
        event.kind === 'delivered' ? event.chunks.map(({ chunkId }) => chunkId) : [],
      ),
      [1, 3, 4, 5],
    )
    assert.deepEqual(sizes(), [10, 40, 20, 10, 10, 10, 10], 'and it stays so')
  })

  it('a split ends a wait: the collector is there', async () => {
    const { calls, add, events, timerCount } = rig({ concurrentRequestsMax: 2, requestBytesMax: 20 })
    for (const chunkId of [1, 2, 3, 4, 5, 6]) add(chunkId)
    await calls[0]?.answer(accepted)
    await calls[1]?.answer(unavailable)
    assert.equal(timerCount(), 1)
    await calls[2]?.answer({ kind: 'too-large', cause: 'HTTP 413', reason: 'http_413' })
    assert.equal(timerCount(), 0)
    for (let index = 0; index < calls.length; index++) await calls[index]?.answer(accepted)
    assert.deepEqual(
      events
        .flatMap((event) => (event.kind === 'delivered' ? event.chunks.map(({ chunkId }) => chunkId) : []))
        .toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5, 6],
    )
  })

  it('sends nothing after stop', async () => {
    const { add, answer, queue, calls, timerCount } = rig()
    add(1)
    add(2)
    await answer(unavailable)
    queue.stop()
    assert.equal(timerCount(), 0)
    assert.equal(calls.length, 1)
  })

  it('makes nothing of an answer that comes after stop', async () => {
    const { add, answer, queue, events, timerCount } = rig()
    add(1)
    queue.stop()
    await answer(unavailable)
    assert.deepEqual(events, [])
    assert.equal(timerCount(), 0, 'a timer would hold up the end of the thread')
  })

  it('drops the oldest that are in memory only and not on their way, and no more than needed', async () => {
    const { queue, add, answer, events, calls } = rig({ requestBytesMax: 10 })
    for (const chunkId of [1, 2, 3, 4, 5]) add(chunkId)
    await answer(unavailable)
    queue.dropOldest(11)
    assert.deepEqual(events.at(-1), {
      kind: 'dropped',
      chunks: [chunk(1), chunk(2)],
      reason: 'queue_full',
      cause: 'the oldest gave way',
    })
    queue.flush()
    for (let rest = 0; rest < 3; rest++) await answer(accepted)
    assert.deepEqual(
      calls.map(({ body }) => body[0]),
      [1, 3, 4, 5],
    )
  })
})
