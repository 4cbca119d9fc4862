import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type AttributeValue, SpanStatusCode } from '@opentelemetry/api'
import type { Clock } from './clock.ts'
import { rootContext } from './context.ts'
import { invalidSpan } from './non-recording-span.ts'
import type { AttributeBlock } from './records.ts'
import type { Span } from './span.ts'
import type { SpanLimits } from './span-limits.ts'
import { collectWarnings } from './testing/collecting-diag.ts'
import { CollectingSink } from './testing/collecting-sink.ts'
import { TraceError } from './trace-error.ts'
import type { StartSpanOptions } from './tracer.ts'
import { TracerProvider } from './tracer-provider.ts'

const originUnixNano = 1_700_000_000_123_456_000n
const originUnixMs = 1_700_000_000_123.456

/** A clock that stands still until a test moves it. */
class ManualClock implements Clock {
  readonly originUnixNano = originUnixNano
  nowMs = 1000
  correction = 0
  monotonicMs(): number {
    return this.nowMs
  }
  correctionMs(): number {
    return this.correction
  }
}

function setUp(spanLimits: SpanLimits = {}) {
  const sink = new CollectingSink()
  const clock = new ManualClock()
  const provider = new TracerProvider({ spanSinks: [sink], clock, spanLimits })
  const tracer = provider.getTracer('test')
  // The default sampler records every root, so the span is ours.
  const start = (options: StartSpanOptions = {}): Span => tracer.startSpan('s', options, rootContext) as Span
  return { sink, clock, start }
}

describe('attributes', () => {
  test('primitives and arrays of one type are stored; the last value of a key counts', () => {
    const span = setUp().start()
    span.setAttribute('s', 'text').setAttribute('n', 1.5).setAttribute('b', false)
    span.setAttributes({ list: ['a', null, undefined, 'b'], empty: [], n: 2 })
    assert.deepEqual(span.flatAttributes, [
      's',
      'text',
      'n',
      2,
      'b',
      false,
      'list',
      ['a', null, undefined, 'b'],
      'empty',
      [],
    ])
  })

  test('an array is copied, so that its owner may go on using it', () => {
    const span = setUp().start()
    const list = [1, 2]
    span.setAttribute('list', list)
    list.push(3)
    assert.deepEqual(span.flatAttributes, ['list', [1, 2]])
  })

  test('what the rules refuse is ignored with a diagnostic', () => {
    const span = setUp().start()
    const warnings = collectWarnings(() => {
      span.setAttribute('mixed', [1, 'a'] as never)
      span.setAttribute('nested', [[1]] as never)
      span.setAttribute('object', {} as never)
      span.setAttribute('bigint', 1n as never)
      span.setAttribute('', 'no key')
      span.setAttribute(5 as never, 'key of a wrong type')
    })
    assert.deepEqual(span.flatAttributes, [])
    assert.equal(warnings.length, 1, 'one message, not one per mistake')
    assert.match(warnings[0] ?? '', /"mixed"/)
  })

  test('undefined and null say nothing', () => {
    const span = setUp().start()
    const warnings = collectWarnings(() => {
      span.setAttribute('u', undefined as never).setAttribute('n', null as never)
      span.setAttributes({ v: undefined })
    })
    assert.deepEqual([span.flatAttributes, warnings], [[], []])
  })

  test('the 128th is kept, the 129th counted; a known key can still be changed', () => {
    const span = setUp().start()
    for (let index = 1; index <= 128; index += 1) span.setAttribute(`k${index}`, index)
    assert.equal(span.flatAttributes.length, 256)
    assert.equal(span.droppedAttributesCount, 0)
    span.setAttribute('k129', 0).setAttribute('k1', 'changed')
    assert.equal(span.flatAttributes.length, 256)
    assert.equal(span.droppedAttributesCount, 1)
    assert.equal(span.flatAttributes[1], 'changed')
  })

  test('strings are cut at the value limit, in arrays too', () => {
    const span = setUp({ attributeValueLengthLimit: 3 }).start()
    span.setAttribute('fits', 'abc').setAttribute('long', 'abcd').setAttribute('list', ['abcd', null, 'ab'])
    assert.deepEqual(span.flatAttributes, ['fits', 'abc', 'long', 'abc', 'list', ['abc', null, 'ab']])
  })

  test('a wrong limit stops the start and says what is allowed', () => {
    for (const value of [-1, 1.5, Number.NaN, '5' as never]) {
      assert.throws(
        () => setUp({ eventCountLimit: value }),
        (error: unknown) =>
          error instanceof TraceError &&
          error.code === 'invalid_option' &&
          /spanLimits\.eventCountLimit.*whole number/.test(error.message),
      )
    }
  })
})

describe('a shared attribute block', () => {
  const block: AttributeBlock = { entries: ['server.address', 'a', 'server.port', 80], encoded: undefined }

  test('is kept as it is while its keys are left alone', () => {
    const span = setUp().start({ attributeBlock: block, attributes: { own: 1 } })
    assert.equal(span.attributeBlock, block)
    assert.deepEqual(span.flatAttributes, ['own', 1])
  })

  test('is taken apart for a span that changes one of its keys', () => {
    const span = setUp().start({ attributeBlock: block, attributes: { own: 1 } })
    span.setAttribute('server.port', 443)
    assert.equal(span.attributeBlock, undefined)
    assert.deepEqual(span.flatAttributes, ['server.address', 'a', 'server.port', 443, 'own', 1])
    assert.deepEqual(block.entries, ['server.address', 'a', 'server.port', 80])
  })

  test('counts towards the limit', () => {
    const span = setUp({ attributeCountLimit: 3 }).start({ attributeBlock: block })
    span.setAttribute('x', 1).setAttribute('y', 2)
    assert.deepEqual([span.flatAttributes, span.droppedAttributesCount], [['x', 1], 1])
  })

  test('a second one is added entry by entry', () => {
    const span = setUp().start({ attributeBlock: block })
    span.setAttributeBlock({ entries: ['server.port', 443, 'z', 1], encoded: undefined })
    assert.deepEqual(span.flatAttributes, ['server.address', 'a', 'server.port', 443, 'z', 1])
  })
})

describe('a flat list of attributes', () => {
  const block: AttributeBlock = { entries: ['shared', 1], encoded: undefined }

  test('becomes the own list of a span that has none', () => {
    const span = setUp().start({ attributeBlock: block })
    const flat = ['a', 1, 'b', 'two']
    span.setFlatAttributes(flat)
    assert.equal(span.flatAttributes, flat)
    assert.equal(span.attributeBlock, block)
  })

  test('is added to what is there, within the limits', () => {
    const span = setUp().start({ attributes: { a: 1 } })
    span.setFlatAttributes(['a', 2, 'b', 3])
    assert.deepEqual(span.flatAttributes, ['a', 2, 'b', 3])
    const limited = setUp({ attributeCountLimit: 2, attributeValueLengthLimit: 3 }).start({
      attributeBlock: block,
    })
    limited.setFlatAttributes(['text', 'long', 'one too many', 1])
    assert.deepEqual([limited.flatAttributes, limited.droppedAttributesCount], [['text', 'lon'], 1])
    const full = setUp({ attributeCountLimit: 2 }).start({ attributeBlock: block })
    full.setFlatAttributes(['a', 1, 'one too many', 1])
    assert.deepEqual([full.flatAttributes, full.droppedAttributesCount], [['a', 1], 1])
  })

  test('comes too late for a span that has ended', () => {
    const span = setUp().start()
    span.end()
    span.setFlatAttributes(['a', 1])
    assert.deepEqual(span.flatAttributes, [])
  })
})

describe('times', () => {
  test('every form of time is read', () => {
    const { clock, start } = setUp()
    clock.nowMs = 5000
    assert.equal(start().startTimeMs, 5000)
    assert.equal(start({ startTime: originUnixMs + 250 }).startTimeMs.toFixed(2), '250.00')
    assert.equal(start({ startTime: new Date(1_700_000_000_200) }).startTimeMs.toFixed(2), '76.54')
    assert.equal(start({ startTime: [1_700_000_001, 123_456_789] }).startTimeMs, 1000.000789)
    assert.equal(start({ startTime: 77.5 }).startTimeMs, 77.5, 'a reading of performance.now()')
  })

  test('an invalid time gives the current one and a diagnostic', () => {
    const { clock, start } = setUp()
    for (const startTime of [
      Number.NaN,
      new Date(Number.NaN),
      [1] as never,
      ['a', 'b'] as never,
      {} as never,
    ]) {
      const warnings = collectWarnings(() => assert.equal(start({ startTime }).startTimeMs, clock.nowMs))
      assert.ok(warnings.length <= 1)
    }
    assert.equal(collectWarnings(() => setUp().start({ startTime: Number.POSITIVE_INFINITY })).length, 1)
  })

  test('the duration is monotonic: a clock corrected meanwhile does not change it', () => {
    const { clock, sink, start } = setUp()
    clock.correction = 100
    const span = start()
    clock.nowMs += 5
    clock.correction = 3_600_100
    span.end()
    assert.equal(sink.spans[0]?.startTimeMs, 1100)
    assert.equal(sink.spans[0]?.endTimeMs, 1105)
    assert.equal(start().startTimeMs, 1005 + 3_600_100)
  })

  test('an end before the start gives a duration of 0 and a diagnostic', () => {
    const { sink, start } = setUp()
    const warnings = collectWarnings(() => start().end(originUnixMs))
    assert.equal(sink.spans[0]?.endTimeMs, sink.spans[0]?.startTimeMs)
    assert.match(warnings[0] ?? '', /before it started/)
  })

  test('an explicit end is used', () => {
    const { sink, start } = setUp()
    start({ startTime: [1_700_000_001, 0] }).end([1_700_000_002, 500_000_000])
    const [span] = sink.spans
    assert.equal((span?.endTimeMs ?? 0) - (span?.startTimeMs ?? 0), 1500)
  })
})

describe('end', () => {
  test('twice: the second is ignored with a diagnostic, and the sink gets the span once', () => {
    const { clock, sink, start } = setUp()
    const span = start()
    span.end()
    clock.nowMs += 10
    const warnings = collectWarnings(() => span.end())
    assert.equal(sink.spans.length, 1)
    assert.equal(span.endTimeMs, 1000)
    assert.match(warnings[0] ?? '', /end\(\) on span "s", which has ended/)
  })

  test('afterwards nothing changes the span any more', () => {
    const span = setUp().start({ attributeBlock: { entries: ['a', 1], encoded: undefined } })
    span.end()
    const warnings = collectWarnings(() => {
      span.setAttribute('b', 1).setAttributes({ c: 1 }).addEvent('e').updateName('other')
      span.setStatus({ code: SpanStatusCode.ERROR }).addLink({ context: invalidSpan().spanContext() })
      span.setAttributeBlock({ entries: ['d', 1], encoded: undefined })
      span.recordException(new Error('late'))
    })
    assert.equal(span.isRecording(), false)
    assert.deepEqual(
      [span.flatAttributes, span.eventRecords, span.linkRecords, span.name, span.statusCode],
      [[], undefined, undefined, 's', 0],
    )
    assert.equal(warnings.length, 1)
  })
})

describe('status', () => {
  test('OK is final, ERROR keeps its last message, UNSET is ignored', () => {
    const { start } = setUp()
    const span = start()
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'first' })
    span.setStatus({ code: SpanStatusCode.UNSET, message: 'ignored' })
    assert.deepEqual([span.statusCode, span.statusMessage], [2, 'first'])
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'second' })
    assert.deepEqual([span.statusCode, span.statusMessage], [2, 'second'])
    span.setStatus({ code: SpanStatusCode.OK, message: 'no message for OK' })
    assert.deepEqual([span.statusCode, span.statusMessage], [1, ''])
    span.setStatus({ code: SpanStatusCode.ERROR, message: 'too late' })
    assert.deepEqual([span.statusCode, span.statusMessage], [1, ''])
  })

  test('nonsense is ignored', () => {
    const span = setUp().start()
    span.setStatus({ code: 9 as never }).setStatus(undefined as never)
    span.setStatus({ code: SpanStatusCode.ERROR, message: 5 as never })
    assert.deepEqual([span.statusCode, span.statusMessage], [2, ''])
  })
})

describe('events', () => {
  test('with attributes, with a time, with both', () => {
    const { clock, start } = setUp()
    const span = start()
    clock.nowMs = 1001
    span
      .addEvent('plain')
      .addEvent('attributes', { a: 1, bad: {} as never })
      .addEvent('time', [1_700_000_000, 123_456_000])
    span.addEvent('both', { b: 2 }, 1002.5)
    assert.deepEqual(
      span.eventRecords?.map((event) => [event.name, event.timeMs, event.flatAttributes]),
      [
        ['plain', 1001, []],
        ['attributes', 1001, ['a', 1]],
        ['time', 0, []],
        ['both', 1002.5, ['b', 2]],
      ],
    )
  })

  test('beyond the limit the oldest go, and are counted', () => {
    const span = setUp({ eventCountLimit: 2 }).start()
    span.addEvent('1').addEvent('2').addEvent('3')
    assert.deepEqual(
      [span.eventRecords?.map((event) => event.name), span.droppedEventsCount],
      [['2', '3'], 1],
    )
    const none = setUp({ eventCountLimit: 0 }).start().addEvent('1')
    assert.deepEqual([none.eventRecords, none.droppedEventsCount], [undefined, 1])
  })

  test('their attributes have a limit of their own', () => {
    const span = setUp({ attributePerEventCountLimit: 1 }).start()
    span.addEvent('e', { a: 1, b: 2, c: 3 })
    assert.deepEqual(span.eventRecords?.[0]?.flatAttributes, ['a', 1])
    assert.equal(span.eventRecords?.[0]?.droppedAttributesCount, 2)
  })
})

describe('links', () => {
  const context = {
    traceId: '0AF7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
    traceFlags: 1,
    isRemote: true,
  }

  test('are kept from the options and from addLinks, with the newest beyond the limit counted', () => {
    const span = setUp({ linkCountLimit: 2, attributePerLinkCountLimit: 1 }).start({
      links: [{ context, attributes: { a: 1, b: 2 } }],
    })
    span.addLinks([{ context }, { context }])
    assert.equal(span.linkRecords?.length, 2)
    assert.equal(span.droppedLinksCount, 1)
    assert.deepEqual(span.linkRecords?.[0], {
      traceId: context.traceId.toLowerCase(),
      spanId: context.spanId,
      traceFlags: 1,
      isRemote: true,
      traceStateText: '',
      flatAttributes: ['a', 1],
      droppedAttributesCount: 1,
    })
  })

  test('without a context are no links', () => {
    const span = setUp().start()
    span.addLinks([undefined as never, {} as never, { context: { traceId: 1 } } as never])
    assert.equal(span.linkRecords, undefined)
  })
})

function recorded(exception: unknown): Record<string, AttributeValue> {
  const span = setUp().start()
  span.recordException(exception as never)
  const [event] = span.eventRecords ?? []
  assert.equal(event?.name, 'exception')
  const flat = event?.flatAttributes ?? []
  return Object.fromEntries(
    flat.flatMap((entry, index) =>
      index % 2 === 0 ? [[entry as string, flat[index + 1] as AttributeValue]] : [],
    ),
  )
}

describe('recordException', () => {
  test('an error with causes', () => {
    const cause = new RangeError('inner', { cause: 'the disk' })
    const attributes = recorded(new TypeError('outer', { cause }))
    assert.equal(attributes['exception.type'], 'TypeError')
    assert.equal(attributes['exception.message'], 'outer')
    const stack = String(attributes['exception.stacktrace'])
    assert.match(stack, /^TypeError: outer\n {4}at /)
    assert.match(stack, /\nCaused by: RangeError: inner\n {4}at /)
    assert.match(stack, /\nCaused by: the disk$/)
  })

  test('a cause that leads back to itself ends', () => {
    const error = new Error('a')
    error.cause = error
    assert.doesNotMatch(String(recorded(error)['exception.stacktrace']), /Caused by/)
  })

  test('Node’s errors are told apart by their code', () => {
    assert.equal(
      recorded(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))['exception.type'],
      'ECONNREFUSED',
    )
  })

  test('values that are no errors', () => {
    assert.deepEqual(recorded('text'), { 'exception.type': 'string', 'exception.message': 'text' })
    assert.deepEqual(recorded(undefined), { 'exception.type': 'undefined', 'exception.message': 'undefined' })
    assert.deepEqual(recorded(null), { 'exception.type': 'null', 'exception.message': 'null' })
    assert.deepEqual(recorded({ a: 1 }), { 'exception.type': 'Object', 'exception.message': '{"a":1}' })
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    assert.equal(recorded(proxy)['exception.type'], 'unknown')
  })

  test('an endless message is cut', () => {
    const attributes = recorded(new Error('x'.repeat(1_000_000)))
    assert.equal(String(attributes['exception.message']).length, 8192)
    assert.equal(String(attributes['exception.stacktrace']).length, 32_768)
  })
})
