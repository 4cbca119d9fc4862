import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Context, ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api'
import type { Sampler } from './sampler.ts'
import {
  alwaysOffSampler,
  alwaysOnSampler,
  fastDecisionOf,
  parentBasedSampler,
  traceIdRatioSampler,
} from './samplers.ts'
import { TraceError } from './trace-error.ts'

const highest = `${'0'.repeat(18)}${'f'.repeat(14)}`
const lowest = `1${'0'.repeat(31)}`
const middle = `${'0'.repeat(18)}8${'0'.repeat(13)}`
const belowMiddle = `${'f'.repeat(18)}7${'f'.repeat(13)}`

function samples(sampler: Sampler, traceId: string, context: Context = ROOT_CONTEXT): boolean {
  return sampler.shouldSample(context, traceId, 's', SpanKind.INTERNAL, {}, []).decision === 2
}

describe('traceIdRatioSampler', () => {
  test('takes the ids whose last 56 bits are not below the threshold', () => {
    const half = traceIdRatioSampler(0.5)
    assert.deepEqual(
      [highest, middle, belowMiddle, lowest].map((id) => samples(half, id)),
      [true, true, false, false],
    )
    assert.equal(half.toString(), 'TraceIdRatioBased{0.5}')
  })

  test('the lower 32 bits are compared without a sign', () => {
    // Threshold 2^24: no upper bits, so that the lower word alone decides.
    const sampler = traceIdRatioSampler(1 - 2 ** -32)
    const ids = ['00ffffff', '01000000', '7fffffff', 'ffffffff'].map(
      (word) => `${'a'.repeat(18)}000000${word}`,
    )
    assert.deepEqual(
      ids.map((id) => samples(sampler, id)),
      [false, true, true, true],
    )
  })

  test('0 takes none and 1 takes all', () => {
    assert.deepEqual(
      [highest, lowest].map((id) => samples(traceIdRatioSampler(0), id)),
      [false, false],
    )
    assert.deepEqual(
      [highest, lowest].map((id) => samples(traceIdRatioSampler(1), id)),
      [true, true],
    )
  })

  test('the share of evenly spread ids is the ratio', () => {
    const sampler = traceIdRatioSampler(0.1)
    let taken = 0
    for (let index = 0; index < 10_000; index += 1) {
      const bits = (BigInt(2 * index + 1) << 56n) / 20_000n
      if (samples(sampler, `${'a'.repeat(18)}${bits.toString(16).padStart(14, '0')}`)) taken += 1
    }
    assert.equal(taken, 1000)
  })

  test('a ratio taken by a smaller one is taken by a greater one', () => {
    const ids = Array.from(
      { length: 100 },
      (_, index) =>
        `${'1'.repeat(18)}${(index * 2.5).toString(16).slice(0, 2).padStart(2, '0').replace('.', '0')}${'5'.repeat(12)}`,
    )
    for (const id of ids) {
      if (samples(traceIdRatioSampler(0.2), id)) assert.ok(samples(traceIdRatioSampler(0.6), id))
    }
    assert.ok(ids.some((id) => samples(traceIdRatioSampler(0.2), id)))
  })

  test('anything but 0 to 1 stops the start', () => {
    for (const ratio of [-0.01, 1.01, Number.NaN, '1' as never]) {
      assert.throws(() => traceIdRatioSampler(ratio), TraceError)
    }
  })
})

function parent(flags: { sampled: boolean; remote: boolean }): Context {
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: middle,
    spanId: '00000000000000ab',
    traceFlags: flags.sampled ? 1 : 0,
    isRemote: flags.remote,
  })
}

function decisionBelow(root: Sampler): (context: Context) => boolean {
  return (context) => samples(parentBasedSampler({ root }), middle, context)
}

describe('parentBasedSampler', () => {
  const parents = [
    ROOT_CONTEXT,
    parent({ sampled: true, remote: true }),
    parent({ sampled: false, remote: true }),
    parent({ sampled: true, remote: false }),
    parent({ sampled: false, remote: false }),
  ]
  const on = alwaysOnSampler()
  const off = alwaysOffSampler()

  test('follows the parent by default, and asks the root sampler without one', () => {
    assert.deepEqual(parents.map(decisionBelow(on)), [true, true, false, true, false])
    assert.deepEqual(parents.map(decisionBelow(off)), [false, true, false, true, false])
  })

  test('each of the five delegates has its own place', () => {
    const names = [
      'root',
      'remoteParentSampled',
      'remoteParentNotSampled',
      'localParentSampled',
      'localParentNotSampled',
    ]
    for (const [place, name] of names.entries()) {
      const all = Object.fromEntries(names.map((other) => [other, other === name ? on : off]))
      const third = { shouldSample: () => ({ decision: 2 as const }), toString: () => 'third' }
      const mixed = Object.fromEntries(names.map((other) => [other, other === name ? third : off]))
      const expected = parents.map((_, index) => index === place)
      assert.deepEqual(
        parents.map((context) => samples(parentBasedSampler(all as never), middle, context)),
        expected,
      )
      assert.deepEqual(
        parents.map((context) => samples(parentBasedSampler(mixed as never), middle, context)),
        expected,
      )
    }
  })

  test('takes the short way only when all delegates do', () => {
    assert.ok(fastDecisionOf(parentBasedSampler({ root: traceIdRatioSampler(0.5) })))
    const third = { shouldSample: () => ({ decision: 2 as const }), toString: () => 'third' }
    assert.equal(fastDecisionOf(parentBasedSampler({ root: on, localParentSampled: third })), undefined)
  })

  test('a missing root stops the start', () => {
    assert.throws(() => parentBasedSampler({} as never), TraceError)
  })

  test('says what it is made of', () => {
    assert.match(
      parentBasedSampler({ root: traceIdRatioSampler(0.25) }).toString(),
      /^ParentBased\{root=TraceIdRatioBased\{0\.25\}, /,
    )
  })
})
