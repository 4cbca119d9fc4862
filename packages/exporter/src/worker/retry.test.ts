import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { backoffDelayMs, parseRetryAfterMs, serverDelayMsMax } from './retry.ts'

describe('retry', () => {
  it('draws from nothing up to a doubling, capped ceiling', () => {
    const limits = { initialDelayMs: 100, delayMsMax: 1000, elapsedMsMax: 0 }
    const ceilings = [1, 2, 3, 4, 5, 1000].map((failureCount) =>
      backoffDelayMs(failureCount, limits, () => 1),
    )
    assert.deepEqual(ceilings, [100, 200, 400, 800, 1000, 1000])
    assert.equal(
      backoffDelayMs(3, limits, () => 0),
      0,
    )
  })

  it('reads Retry-After', () => {
    const nowMs = Date.parse('2026-01-01T00:00:00Z')
    const read = (header: string | undefined): number | undefined => parseRetryAfterMs(header, nowMs)
    assert.equal(read(undefined), undefined)
    assert.equal(read('0'), 0)
    assert.equal(read(' 120 '), 120_000)
    assert.equal(read('Thu, 01 Jan 2026 00:00:30 GMT'), 30_000)
    assert.equal(read('Wed, 31 Dec 2025 00:00:00 GMT'), 0, 'a time that has passed')
    assert.equal(read('300'), serverDelayMsMax)
    assert.equal(read('301'), serverDelayMsMax)
    for (const garbage of ['', '-1', '1.5', 'soon', '1e3', '9'.repeat(10)])
      assert.equal(read(garbage), undefined, garbage)
  })
})
