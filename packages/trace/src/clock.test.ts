import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { durationToHrTime, msToHrTime, SystemClock } from './clock.ts'

function setUp() {
  const time = { wallMs: 1_700_000_000_000, monotonicMs: 0 }
  const clock = new SystemClock({
    timeOriginUnixMs: 1_700_000_000_000,
    wallClock: () => time.wallMs,
    monotonic: () => time.monotonicMs,
  })
  const pass = (ms: number, suspendedMs = 0): number => {
    time.monotonicMs += ms
    time.wallMs += ms + suspendedMs
    return clock.correctionMs(time.monotonicMs)
  }
  return { clock, pass }
}

describe('SystemClock', () => {
  test('the origin is the process’s time origin, to the microsecond', () => {
    assert.equal(
      new SystemClock({ timeOriginUnixMs: 1_700_000_000_123.456 }).originUnixNano,
      1_700_000_000_123_456_000n,
    )
    const wallMs = Date.now()
    const clock = new SystemClock()
    const nowMs = clock.monotonicMs()
    const unixMs = Number(clock.originUnixNano / 1_000_000n) + nowMs + clock.correctionMs(nowMs)
    assert.ok(Math.abs(unixMs - wallMs) < 1000)
  })

  test('follows the wall clock after the machine slept, within a second of running time', () => {
    const { pass } = setUp()
    assert.equal(pass(1), 0)
    assert.equal(pass(500, 3_600_000), 0, 'not looked at yet')
    assert.equal(pass(500), 3_600_000)
  })

  test('lets a drift of 20 ms be, and follows one of 21', () => {
    const { pass } = setUp()
    assert.equal(pass(1), 0)
    assert.equal(pass(1000, 20), 0)
    assert.equal(pass(1000, 1), 21)
    assert.equal(pass(1000, -21), 0)
  })
})

test('times become [seconds, nanoseconds] without loss', () => {
  assert.deepEqual(msToHrTime(1.000001, 1_700_000_000_999_000_000n), [1_700_000_001, 1])
  assert.deepEqual(durationToHrTime(1500.25), [1, 500_250_000])
  assert.deepEqual(durationToHrTime(-1), [0, 0])
})
