import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { AsyncContextManager } from '@throughline/trace'
import { createLogger, type LoggerOptions } from './logger.ts'

const spanContext = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }

const now = () => new Date(2026, 1, 3, 15, 4)

function linesOf(options: LoggerOptions, log: (logger: ReturnType<typeof createLogger>) => void): string[] {
  const lines: string[] = []
  const logger = createLogger({ now, ...options, write: (line) => void lines.push(line) })
  const manager = new AsyncContextManager().enable()
  context.setGlobalContextManager(manager)
  context.with(trace.setSpan(ROOT_CONTEXT, trace.wrapSpanContext(spanContext)), () => log(logger))
  context.disable()
  return lines
}

describe('logger', () => {
  it('writes text: time, level, message, fields, and the ids last', () => {
    const lines = linesOf({ component: 'api' }, (logger) => {
      logger.info({ job_id: 'abc', note: 'two words', empty: '' }, 'publishing job request')
      logger.error({ error: new Error('it "broke"') }, 'x')
      logger.debug('unseen')
    })
    const ids = `trace_id=${spanContext.traceId} span_id=${spanContext.spanId}`
    assert.deepEqual(lines, [
      `3:04PM INF publishing job request component=api job_id=abc note="two words" empty="" ${ids}\n`,
      `3:04PM ERR x component=api error="it \\"broke\\"" ${ids}\n`,
    ])
  })

  it('keeps control characters of strangers on their line', () => {
    const [line] = linesOf({ traceIds: false }, (logger) =>
      logger.warn({ name: 'a\nERR fake\u001b[2J' }, 'x'),
    )
    assert.equal(line, '3:04PM WRN x name="a\\nERR fake\\u001b[2J"\n')
  })

  it('writes JSON with time, level and msg first and the ids last', () => {
    const [line = ''] = linesOf({ json: true, debug: true }, (logger) => logger.debug({ a: 1 }, 'm'))
    const record = JSON.parse(line) as Record<string, unknown>
    assert.deepEqual(Object.keys(record), ['time', 'level', 'msg', 'a', 'trace_id', 'span_id'])
    assert.equal(record['level'], 'DEBUG')
  })

  it('writes no ids where tracing is off, whatever context passes through', () => {
    const [line] = linesOf({ traceIds: false }, (logger) => logger.info('m'))
    assert.equal(line, '3:04PM INF m\n')
  })
})
