import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SpanStatusCode } from '@opentelemetry/api'
import { type DecodedSpan, decodeTraces, type SpanRecord } from '@throughline/otlp'
import { type Clock, OpenSpans, type RecordedSpan, TracerProvider } from '@throughline/trace'
import { type OpenSpanPass, OpenSpanWatch } from './open-span-watch.ts'

class ManualClock implements Clock {
  readonly originUnixNano = 1_700_000_000_000_000_000n
  nowMs = 0
  monotonicMs(): number {
    return this.nowMs
  }
  correctionMs(): number {
    return 0
  }
}

function setUp({ afterMs = 1_000, openSpansMax = 10_000 } = {}) {
  const clock = new ManualClock()
  const openSpans = new OpenSpans({ openSpansMax })
  const watch = new OpenSpanWatch({
    openSpans,
    resource: { 'service.name': 'test' },
    originUnixNano: clock.originUnixNano,
    afterMs,
    nowMs: () => clock.nowMs,
  })
  const ended: RecordedSpan[] = []
  const sink = {
    onEnd(span: RecordedSpan): void {
      watch.onEnd(span)
      ended.push(span)
    },
    forceFlush: async () => {},
    shutdown: async () => {},
  }
  const provider = new TracerProvider({ clock, openSpans, spanSinks: [sink] })
  return { clock, openSpans, watch, ended, tracer: provider.getTracer('test') }
}

function spansOf(bytes: Uint8Array): readonly DecodedSpan[] {
  const { value } = decodeTraces(bytes)
  return (value?.resourceSpans ?? []).flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
}

const attributesOf = (span: DecodedSpan | undefined): Record<string, unknown> =>
  Object.fromEntries((span?.attributes ?? []).map(({ key, value }) => [key, value]))

/** The names of the spans that were told of, each with its id. */
const told = (pass: OpenSpanPass | undefined): readonly (readonly [string | undefined, number])[] =>
  (pass?.snapshots ?? []).map(({ openId, bytes }) => [spansOf(bytes)[0]?.name, openId])

describe('OpenSpanWatch', () => {
  test('tells of a span once it is older than afterMs, with all that is known of it, as one that has not ended', () => {
    const { clock, watch, tracer } = setUp()
    assert.equal(watch.look(), undefined)
    tracer.startSpan('job', { attributes: { step: 1 } })
    clock.nowMs = 1_000
    assert.equal(watch.look(), undefined)
    clock.nowMs = 1_001
    const pass = watch.look()
    assert.equal(pass?.snapshots.length, 1)
    const [span] = spansOf(pass?.snapshots[0]?.bytes ?? new Uint8Array())
    assert.deepEqual([span?.name, span?.endTimeUnixNano], ['job', 0n])
    const state = { 'throughline.span.state': 'pending', 'throughline.span.open_ms': 1_001 }
    assert.deepEqual(attributesOf(span), { step: 1, ...state })
    assert.deepEqual(spansOf(pass?.request ?? new Uint8Array()), [span])
    assert.equal(
      decodeTraces(pass?.request ?? new Uint8Array()).value?.resourceSpans[0]?.resource.attributes.length,
      1,
    )
  })

  test('tells of it again when it changes, and when it is twice as old', () => {
    const { clock, watch, tracer } = setUp()
    const span = tracer.startSpan('job')
    const changes: readonly (() => void)[] = [
      () => span.setAttribute('a', 1),
      () => span.addEvent('e'),
      () => span.addLink({ context: { traceId: '1'.repeat(32), spanId: '1'.repeat(16), traceFlags: 1 } }),
      () => span.setStatus({ code: SpanStatusCode.OK }),
      () => span.updateName('renamed'),
    ]
    clock.nowMs = 2_000
    assert.deepEqual(told(watch.look()), [['job', 1]])
    for (const change of changes) {
      assert.equal(watch.look(), undefined)
      change()
      assert.equal(watch.look()?.snapshots[0]?.openId, 1)
    }
    clock.nowMs = 3_999
    assert.equal(watch.look(), undefined)
    clock.nowMs = 4_000
    assert.deepEqual(told(watch.look()), [['renamed', 1]])
    clock.nowMs = 240_000
    assert.deepEqual(told(watch.look()), [['renamed', 1]])
    clock.nowMs = 299_999
    assert.equal(watch.look(), undefined)
    clock.nowMs = 300_000
    assert.deepEqual(told(watch.look()), [['renamed', 1]])
  })

  test('says once which snapshots are out of date, and only of spans that it had told of', () => {
    const { clock, watch, tracer, ended } = setUp()
    const [a, b] = [tracer.startSpan('a'), tracer.startSpan('b')]
    clock.nowMs = 2_000
    watch.look()
    tracer.startSpan('short').end()
    assert.deepEqual(watch.takeEndedIds(), [])
    b.end()
    assert.deepEqual([watch.takeEndedIds(), watch.takeEndedIds(), watch.seenCount], [[2], [], 1])
    a.end()
    assert.deepEqual([watch.takeEndedIds(), watch.seenCount, ended.length], [[1], 0, 3])
    assert.equal(watch.look(), undefined)
  })

  test('lets go of spans that fell out of the list of open ones', () => {
    const { clock, watch, tracer } = setUp({ openSpansMax: 1 })
    tracer.startSpan('lost')
    clock.nowMs = 2_000
    assert.deepEqual(told(watch.look()), [['lost', 1]])
    tracer.startSpan('newer')
    watch.look()
    assert.deepEqual([watch.takeEndedIds(), watch.seenCount], [[1], 0])
  })

  test('a look takes one chunk at most; what had no room comes with the next ones, and nobody is left out', () => {
    const { clock, watch, tracer } = setUp()
    const spans = Array.from({ length: 10 }, (_, i) =>
      tracer.startSpan(`large ${i}`, { attributes: { text: 'x'.repeat(60_000) } }),
    )
    clock.nowMs = 2_000
    const looks = [watch.look(), watch.look(), watch.look()]
    assert.deepEqual(
      looks.map((pass) => pass?.snapshots.length),
      [5, 5, undefined],
    )
    assert.deepEqual(
      looks.flatMap((pass) => told(pass)),
      spans.map((_, i) => [`large ${i}`, i + 1]),
    )
    // All change all the time: each has its turn before one has its second.
    const order: number[] = []
    for (let round = 1; round <= 4; round++) {
      clock.nowMs += 1
      for (const span of spans) span.addEvent(`round ${round}`)
      order.push(...(watch.look()?.snapshots ?? []).map(({ openId }) => openId))
    }
    assert.deepEqual(order, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  })

  test('a span that no chunk can hold stays untold, and the others do not suffer', () => {
    const { clock, watch, tracer } = setUp()
    tracer.startSpan('huge', { attributes: { text: 'x'.repeat(300_000) } })
    tracer.startSpan('small')
    clock.nowMs = 2_000
    assert.deepEqual(told(watch.look()), [['small', 2]])
  })

  test('interruptAll gives a copy of every open span, however young, ended now with the reason; the spans go on', () => {
    const { clock, watch, tracer, ended } = setUp()
    const old = tracer.startSpan('old')
    clock.nowMs = 2_000
    watch.look()
    tracer.startSpan('young')
    clock.nowMs = 2_500
    const copies: SpanRecord[] = []
    watch.interruptAll('SIGTERM', (span) => copies.push(span))
    const attributes = ['throughline.span.state', 'interrupted', 'throughline.span.interruption', 'SIGTERM']
    assert.deepEqual(
      copies.map((span) => [
        span.name,
        span.endTimeMs,
        span.statusCode,
        span.statusMessage,
        span.flatAttributes,
      ]),
      ['old', 'young'].map((name) => [name, 2_500, 2, 'SIGTERM', attributes]),
    )
    assert.deepEqual(watch.takeEndedIds(), [1])
    assert.equal(ended.length, 0)
    old.end()
    assert.deepEqual([ended[0]?.name, ended[0]?.statusCode], ['old', 0])
  })

  test('tells of everything anew when those who knew are gone', () => {
    const { clock, watch, tracer } = setUp()
    tracer.startSpan('job')
    clock.nowMs = 2_000
    watch.look()
    watch.reset()
    assert.deepEqual([told(watch.look()), watch.takeEndedIds()], [[['job', 2]], []])
  })
})
