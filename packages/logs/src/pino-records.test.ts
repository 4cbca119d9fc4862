import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import type { LogRecord } from '@throughline/otlp'
import { SystemClock } from '@throughline/trace'
import { type Logger, type LoggerOptions, pino } from 'pino'
import { registerLoggerProvider, unregisterLoggerProvider } from './global-logs.ts'
import { LoggerProvider } from './logger-provider.ts'
import { withTraceIds } from './pino.ts'
import { severityOfName, severityOfPinoLevel } from './severity.ts'

const spanContext = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1,
}
let records: LogRecord[] = []
let lines: string[] = []
const provider = new LoggerProvider({
  clock: new SystemClock(),
  sinks: [{ onEmit: (record) => records.push(record) }],
})

beforeEach(() => {
  records = []
  lines = []
  registerLoggerProvider(provider)
})
afterEach(() => unregisterLoggerProvider(provider))
before(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()))
after(() => context.disable())

function logger(options: LoggerOptions = {}): Logger {
  return pino(withTraceIds({ ...options, timestamp: false }), { write: (line) => void lines.push(line) })
}

function writeTwoLines(): void {
  const log = logger({ redact: ['password'] })
  context.with(trace.setSpanContext(ROOT_CONTEXT, spanContext), () => {
    log.info({ password: 'x', n: 1 }, 'text')
    log.error(new Error('planted'))
  })
}

const attributesOf = (record: LogRecord | undefined): Record<string, unknown> => {
  const flat = record?.flatAttributes ?? []
  return Object.fromEntries(
    flat.flatMap((value, index) => (index % 2 === 0 ? [[value, flat[index + 1]]] : [])),
  ) as Record<string, unknown>
}

describe('log records of pino lines', () => {
  it('have the message, the level, the fields and the span of the line', () => {
    context.with(trace.setSpanContext(ROOT_CONTEXT, spanContext), () =>
      logger()
        .child({ component: 'api' })
        .warn({ job: { id: 7 } }, 'job %s', 'failed'),
    )
    const [record] = records
    assert.equal(record?.body, 'job failed')
    assert.deepEqual([record.severityNumber, record.severityText], [13, 'warn'])
    assert.deepEqual(attributesOf(record), { component: 'api', job: { id: 7 } })
    assert.deepEqual(
      [record.traceId, record.spanId, record.traceFlags],
      [spanContext.traceId, spanContext.spanId, 1],
    )
    assert.equal(record.scope.name, 'pino')
  })

  it('change nothing of what is printed', () => {
    writeTwoLines()
    assert.equal(records.length, 2)
    const withRecords = lines.map(withoutStack)
    lines = []
    unregisterLoggerProvider(provider)
    writeTwoLines()
    assert.equal(records.length, 2)
    assert.deepEqual(lines.map(withoutStack), withRecords)
  })

  it('say no more than the line: redacted, serialized, and disabled levels not at all', () => {
    const log = logger({ redact: ['password'], serializers: { user: () => 'someone' } })
    log.info({ password: 'secret', user: { name: 'x' } }, 'in')
    log.debug('not enabled')
    assert.deepEqual(attributesOf(records[0]), { password: '[Redacted]', user: 'someone' })
    assert.equal(records.length, 1)
  })

  it('have what was thrown by OpenTelemetry`s names, and what it has besides', () => {
    const error = Object.assign(new RangeError('planted'), { code: 'E_PLANTED' })
    logger().error({ err: error, at: 'x' }, 'failed')
    assert.deepEqual(attributesOf(records[0]), {
      at: 'x',
      'exception.type': 'RangeError',
      'exception.message': 'planted',
      'exception.stacktrace': error.stack,
      err: { code: 'E_PLANTED' },
    })
    assert.equal(records[0]?.body, 'failed')
  })

  it('understand a logger with names of its own', () => {
    const log = logger({
      messageKey: 'message',
      errorKey: 'error',
      formatters: { level: (label) => ({ level: label }) },
      base: { service: 'x' },
    })
    log.fatal({ error: new Error('planted') }, 'text')
    const [record] = records
    assert.deepEqual([record?.body, record?.severityNumber, record?.severityText], ['text', 21, 'fatal'])
    assert.deepEqual(Object.keys(attributesOf(record)), [
      'service',
      'exception.type',
      'exception.message',
      'exception.stacktrace',
    ])
  })

  it('know levels between and beyond pino`s own', () => {
    const log = pino(withTraceIds({ customLevels: { audit: 35 } }), { write: () => {} })
    log.audit('x')
    assert.deepEqual([records[0]?.severityNumber, records[0]?.severityText], [11, 'audit'])
    const levels = [0, 5, 10, 13, 19, 20, 30, 39, 40, 60, 65, 1000, Number.NaN]
    assert.deepEqual(levels.map(severityOfPinoLevel), [0, 1, 1, 2, 4, 5, 9, 12, 13, 21, 23, 24, 0])
    assert.deepEqual(['INFO', 'warning', 'other'].map(severityOfName), [9, 13, 0])
  })

  it('a line that is no JSON is printed and makes no record', () => {
    const log = logger({ hooks: { streamWrite: (line) => `> ${line}` } })
    log.info('x')
    assert.match(lines[0] ?? '', /^> \{/)
    assert.equal(records.length, 0)
  })

  it('ids that the program writes itself stay its own', () => {
    logger({ mixin: () => ({ span_id: 'own' }) }).info('x')
    assert.deepEqual(attributesOf(records[0]), { span_id: 'own' })
  })
})

function withoutStack(line: string): unknown {
  const { err, ...rest } = JSON.parse(line)
  return { ...rest, err: err?.message }
}
