import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { context, ROOT_CONTEXT, type SpanContext, trace } from '@opentelemetry/api'
import { type LoggerProvider as ApiLoggerProvider, logs, SeverityNumber } from '@opentelemetry/api-logs'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import type { LogRecord } from '@throughline/otlp'
import { SystemClock } from '@throughline/trace'
import { getLogger, registerLoggerProvider, unregisterLoggerProvider } from './global-logs.ts'
import type { LogRecordInput } from './logger.ts'
import { LoggerProvider, type LoggerProviderOptions } from './logger-provider.ts'
import { withoutLogRecords } from './quiet.ts'

const spanContext: SpanContext = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
}
const originUnixMs = 1_700_000_000_000
/** The moment of each test: 1,500.25 ms after the clock's origin. */
const clock = new SystemClock({
  timeOriginUnixMs: originUnixMs,
  wallClock: () => originUnixMs + 1500,
  monotonic: () => 1500.25,
})

let records: LogRecord[] = []
beforeEach(() => {
  records = []
})
before(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()))
after(() => context.disable())

function providerWith(options: Partial<LoggerProviderOptions> = {}): LoggerProvider {
  return new LoggerProvider({ clock, sinks: [{ onEmit: (record) => records.push(record) }], ...options })
}

function fail(): never {
  throw new Error('planted')
}

function emit(input: LogRecordInput, options: Partial<LoggerProviderOptions> = {}): LogRecord {
  providerWith(options).getLogger('test').emit(input)
  const record = records.at(-1)
  assert.ok(record !== undefined)
  return record
}

describe('LoggerProvider', () => {
  it('makes a record of now, of the active span, and of what is said', () => {
    const record = context.with(trace.setSpanContext(ROOT_CONTEXT, spanContext), () =>
      emit({
        body: { text: 'hello' },
        severityNumber: 9,
        severityText: 'info',
        eventName: 'greeting',
        attributes: { a: 1, list: ['x'], left: undefined },
      }),
    )
    assert.deepEqual(record, {
      timeMs: 1500.25,
      observedTimeMs: 1500.25,
      severityNumber: 9,
      severityText: 'info',
      body: { text: 'hello' },
      flatAttributes: ['a', 1, 'list', ['x']],
      droppedAttributesCount: 0,
      ...spanContext,
      eventName: 'greeting',
      scope: { name: 'test', version: '', schemaUrl: '', flatAttributes: [] },
    })
  })

  it('takes the span of a context that is given, and none outside of any', () => {
    const given = emit({ context: trace.setSpanContext(ROOT_CONTEXT, spanContext) })
    assert.deepEqual([given.traceId, given.spanId], [spanContext.traceId, spanContext.spanId])
    const outside = emit({})
    assert.deepEqual([outside.traceId, outside.spanId, outside.traceFlags], ['', '', 0])
  })

  it('takes times in each form that OpenTelemetry knows', () => {
    const unixMs = originUnixMs + 250
    for (const timestamp of [unixMs, new Date(unixMs), [unixMs / 1000, 0] as [number, number]])
      assert.equal(emit({ timestamp }).timeMs, 250)
    assert.equal(emit({ timestamp: Number.NaN }).timeMs, 1500.25)
    assert.equal(emit({ timestamp: unixMs, observedTimestamp: unixMs + 1 }).observedTimeMs, 251)
  })

  it('describes what was thrown, and what the program says itself stays', () => {
    const error = new TypeError('planted')
    assert.deepEqual(emit({ exception: error, attributes: { 'exception.message': 'mine' } }).flatAttributes, [
      'exception.type',
      'TypeError',
      'exception.message',
      'mine',
      'exception.stacktrace',
      error.stack,
    ])
    assert.deepEqual(emit({ exception: 'text' }).flatAttributes, ['exception.message', 'text'])
  })

  it('keeps to its limits: the last that is taken, the first that is not', () => {
    const attributes = { a: 'xxxx', b: ['xxxxx', 'y'], c: 3 }
    const limits = { attributeCountMax: 2, attributeValueLengthMax: 4 }
    const record = emit({ attributes }, limits)
    assert.deepEqual(record.flatAttributes, ['a', 'xxxx', 'b', ['xxxx', 'y']])
    assert.equal(record.droppedAttributesCount, 1)
  })

  it('gives one logger for each name, version and schema', () => {
    const provider = providerWith()
    assert.equal(provider.getLogger('a'), provider.getLogger('a', ''))
    assert.notEqual(provider.getLogger('a'), provider.getLogger('a', '1'))
    provider.getLogger('a', '1', { schemaUrl: 'https://x', attributes: { k: 'v', nested: {} } }).emit({})
    assert.deepEqual(records[0]?.scope, {
      name: 'a',
      version: '1',
      schemaUrl: 'https://x',
      flatAttributes: ['k', 'v'],
    })
  })

  it('a log call does not fail by a sink or a getter that throws', () => {
    providerWith({ sinks: [{ onEmit: fail }] })
      .getLogger('x')
      .emit({})
    const attributes = Object.defineProperty({}, 'bad', { enumerable: true, get: fail })
    providerWith().getLogger('x').emit({ attributes })
  })

  it('makes nothing while quiet, also after an action that threw', () => {
    const logger = providerWith().getLogger('x')
    withoutLogRecords(() => {
      assert.equal(logger.enabled(), false)
      logger.emit({})
    })
    assert.throws(() => withoutLogRecords(fail))
    assert.equal(records.length, 0)
    logger.emit({})
    assert.equal(records.length, 1)
  })
})

describe('the global provider', () => {
  afterEach(() => logs.disable())

  it('is the one of @opentelemetry/api-logs: appenders of others reach ours', () => {
    const provider: LoggerProvider & ApiLoggerProvider = providerWith()
    assert.equal(registerLoggerProvider(provider), true)
    logs.getLogger('theirs', '2').emit({ severityNumber: SeverityNumber.WARN, body: 'from an appender' })
    assert.deepEqual(
      [records[0]?.scope.name, records[0]?.severityNumber, records[0]?.body],
      ['theirs', 13, 'from an appender'],
    )
    unregisterLoggerProvider(provider)
    logs.getLogger('theirs').emit({})
    assert.equal(records.length, 1)
  })

  it('of another SDK is left alone, and gets our records', () => {
    const theirs = providerWith()
    logs.setGlobalLoggerProvider(theirs)
    const ours = providerWith({ sinks: [] })
    assert.equal(registerLoggerProvider(ours), false)
    unregisterLoggerProvider(ours)
    getLogger('app').emit({ body: 'to them' })
    assert.equal(records[0]?.body, 'to them')
  })

  it('may come and go after a logger was made', () => {
    const logger = getLogger('early')
    assert.equal(logger.enabled(), false)
    logger.emit({ body: 'lost' })
    const provider = providerWith()
    registerLoggerProvider(provider)
    assert.equal(logger.enabled(), true)
    logger.emit({ body: 'kept' })
    unregisterLoggerProvider(provider)
    logger.emit({ body: 'lost' })
    assert.deepEqual(
      records.map(({ body }) => body),
      ['kept'],
    )
  })
})
