import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SpanStatusCode } from '@opentelemetry/api'
import type { Clock } from './clock.ts'
import { rootContext } from './context.ts'
import { OpenSpans, type OpenSpansOptions, type SnapshotChange, snapshotOf } from './open-spans.ts'
import type { RecordedSpan } from './records.ts'
import { SamplingDecision } from './sampler.ts'
import { Span } from './span.ts'
import { CollectingSink } from './testing/collecting-sink.ts'
import { TracerProvider, type TracerProviderOptions } from './tracer-provider.ts'

/** A clock that stands still until a test moves it. */
class ManualClock implements Clock {
  readonly originUnixNano = 1_700_000_000_123_456_000n
  nowMs = 1000
  monotonicMs(): number {
    return this.nowMs
  }
  correctionMs(): number {
    return 0
  }
}

function setUp(options: OpenSpansOptions = {}, providerOptions: TracerProviderOptions = {}) {
  const openSpans = new OpenSpans(options)
  const sink = new CollectingSink()
  const clock = new ManualClock()
  const provider = new TracerProvider({ openSpans, clock, spanSinks: [sink], ...providerOptions })
  const tracer = provider.getTracer('test')
  const start = (name: string, spanOptions = {}): Span => {
    const span = tracer.startSpan(name, spanOptions, rootContext)
    assert.ok(span instanceof Span)
    return span
  }
  return { openSpans, sink, clock, start }
}

function namesIn(openSpans: OpenSpans, startedBeforeMs = Number.POSITIVE_INFINITY): string[] {
  const names: string[] = []
  openSpans.forEach(startedBeforeMs, (span) => names.push(span.name) > 0)
  assert.ok(names.length <= openSpans.count)
  return names
}

describe('OpenSpans', () => {
  test('has each span from its start to its end, in the order of their starts, whichever ends first', () => {
    const names = ['a', 'b', 'c', 'd']
    const orders = [names, names.toReversed(), ['b', 'c', 'a', 'd'], ['c', 'a', 'b', 'd']]
    for (const order of orders) {
      const { openSpans, start } = setUp()
      const spans = new Map(names.map((name) => [name, start(name)]))
      assert.deepEqual(namesIn(openSpans), names)
      let left = names
      for (const name of order) {
        spans.get(name)?.end()
        spans.get(name)?.end()
        left = left.filter((other) => other !== name)
        assert.deepEqual(namesIn(openSpans), left)
        assert.equal(openSpans.count, left.length)
      }
      start('e')
      assert.deepEqual(namesIn(openSpans), ['e'])
    }
  })

  test('an ended span does not hold on to its neighbours', () => {
    const { start } = setUp()
    const [first, middle, last] = [start('first'), start('middle'), start('last')]
    for (const span of [middle, first, last]) span.end()
    for (const span of [first, middle, last])
      assert.deepEqual([span.previousOpen, span.nextOpen], [undefined, undefined])
  })

  test('keeps openSpansMax spans: with one more the oldest falls out, is counted, and still ends as all do', () => {
    const { openSpans, sink, start } = setUp({ openSpansMax: 2 })
    const [a, b] = [start('a'), start('b')]
    assert.deepEqual([namesIn(openSpans), openSpans.forgottenCount], [['a', 'b'], 0])
    const c = start('c')
    assert.deepEqual([namesIn(openSpans), openSpans.count, openSpans.forgottenCount], [['b', 'c'], 2, 1])
    a.end()
    assert.deepEqual(namesIn(openSpans), ['b', 'c'])
    c.end()
    b.end()
    assert.deepEqual(namesIn(openSpans), [])
    assert.deepEqual(
      sink.spans.map((span) => span.name),
      ['a', 'c', 'b'],
    )
  })

  test('refuses a bound that is none', () => {
    for (const openSpansMax of [0, 1.5, -1, 1_000_001, Number.NaN])
      assert.throws(() => new OpenSpans({ openSpansMax }), {
        code: 'invalid_option',
        message: /openSpansMax/,
      })
    assert.equal(new OpenSpans({ openSpansMax: 1_000_000 }).count, 0)
  })

  test('has only spans that will be exported', () => {
    const recordOnly = { shouldSample: () => ({ decision: SamplingDecision.RECORD }) }
    const { openSpans, start } = setUp({}, { sampler: recordOnly })
    const span = start('recorded for processors alone')
    assert.equal(openSpans.count, 0)
    span.end()
    assert.equal(openSpans.count, 0)
  })

  test('does not exist for a provider without it', () => {
    const provider = new TracerProvider()
    const span = provider.getTracer('test').startSpan('s', {}, rootContext)
    assert.equal(Object.hasOwn(span, 'nextOpen'), false)
    span.end()
  })

  test('forEach tells those that started before a moment, and stops when it is told to', () => {
    const { openSpans, clock, start } = setUp()
    start('old')
    clock.nowMs = 2000
    start('said to be older', { startTime: 500 })
    start('new')
    assert.deepEqual(namesIn(openSpans, 1000), ['said to be older'])
    assert.deepEqual(namesIn(openSpans, 1000.001), ['old', 'said to be older'])
    const visited: string[] = []
    openSpans.forEach(Number.POSITIVE_INFINITY, (span) => visited.push(span.name) < 2)
    assert.deepEqual(visited, ['old', 'said to be older'])
  })

  test('a snapshot has all that the span has by now, and nothing that comes later', () => {
    const { openSpans, start } = setUp()
    const span = start('job', { attributes: { a: 1 } })
    span.addEvent('begun')
    span.addLink({ context: { traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 1 } })
    let copy: RecordedSpan | undefined
    openSpans.forEach(Number.POSITIVE_INFINITY, (open) => {
      copy = snapshotOf(open, { flatAttributes: ['throughline.span.state', 'pending'] })
      return true
    })
    span.setAttribute('a', 2).setAttribute('b', 3).addEvent('late').updateName('renamed')
    span.addLink({ context: { traceId: '3'.repeat(32), spanId: '4'.repeat(16), traceFlags: 1 } })
    span.setStatus({ code: SpanStatusCode.OK }).end()
    assert.ok(copy !== undefined)
    assert.equal(copy.name, 'job')
    assert.deepEqual(copy.flatAttributes, ['a', 1, 'throughline.span.state', 'pending'])
    assert.deepEqual(
      copy.eventRecords?.map((event) => event.name),
      ['begun'],
    )
    assert.deepEqual(
      copy.linkRecords?.map((link) => link.spanId),
      ['2222222222222222'],
    )
    assert.ok(Number.isNaN(copy.endTimeMs))
    assert.deepEqual([copy.statusCode, copy.spanId0, copy.scope.name], [0, span.spanId0, 'test'])
    // A field that is new on a span has to come into its copies too.
    const own = ['ended', 'view', 'owner', 'correctionMs', 'lazySpanContext', 'previousOpen', 'nextOpen']
    const fields = Object.keys(span).filter((key) => !own.includes(key))
    assert.deepEqual(Object.keys(copy).toSorted(), [...fields, 'scope'].toSorted())
  })
})

describe('a snapshot', () => {
  const added = ['throughline.span.state', 'interrupted']
  const copyOf = (span: Span, change: Partial<SnapshotChange> = {}): RecordedSpan =>
    snapshotOf(span, { flatAttributes: added, endTimeMs: 1500, error: 'SIGTERM', ...change })

  test('can be ended and failed, whatever the limits, while its span goes on', () => {
    const { sink, clock, start } = setUp({}, { spanLimits: { attributeCountLimit: 1 } })
    const span = start('job', { attributes: { a: 1 } })
    const copy = copyOf(span)
    assert.deepEqual(copy.flatAttributes, ['a', 1, ...added])
    assert.deepEqual([copy.endTimeMs, copy.statusCode, copy.statusMessage], [1500, 2, 'SIGTERM'])
    clock.nowMs = 2000
    span.end()
    assert.deepEqual(sink.named('job').flatAttributes, ['a', 1])
    assert.deepEqual([sink.named('job').endTimeMs, sink.named('job').statusCode], [2000, 0])
  })

  test('that fails keeps the error that its span had, and takes its success away', () => {
    const { start } = setUp()
    const ok = start('ok').setStatus({ code: SpanStatusCode.OK })
    const failed = start('failed').setStatus({ code: SpanStatusCode.ERROR, message: 'its own' })
    const unexplained = start('unexplained').setStatus({ code: SpanStatusCode.ERROR })
    assert.deepEqual(
      [ok, failed, unexplained].map((span) => [copyOf(span).statusCode, copyOf(span).statusMessage]),
      [
        [2, 'SIGTERM'],
        [2, 'its own'],
        [2, 'SIGTERM'],
      ],
    )
    assert.equal(snapshotOf(ok, { flatAttributes: [] }).statusCode, 1)
  })

  test('does not end before it started', () => {
    const { start } = setUp()
    assert.equal(copyOf(start('s'), { endTimeMs: 999 }).endTimeMs, 1000)
  })
})
