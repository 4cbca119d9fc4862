import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { after, before, test } from 'node:test'
import { context, ROOT_CONTEXT, type SpanContext, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { pino } from 'pino'
import { withTraceIds } from './pino.ts'

const spanContext: SpanContext = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 0,
}

before(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()))
after(() => context.disable())

function collectingLogger(options: Parameters<typeof withTraceIds>[0] = {}) {
  const lines: Record<string, unknown>[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)) as Record<string, unknown>)
      done()
    },
  })
  return { logger: pino(withTraceIds(options), sink), lines }
}

function inSpan<T>(action: () => T, of: SpanContext = spanContext): T {
  return context.with(trace.setSpan(ROOT_CONTEXT, trace.wrapSpanContext(of)), action)
}

test('a line inside a span carries both ids, also of a span that is not sampled and after an await', async () => {
  const { logger, lines } = collectingLogger()
  await inSpan(async () => {
    await new Promise(setImmediate)
    logger.info({ job_id: '7' }, 'processing job')
  })
  assert.equal(lines[0]?.['trace_id'], spanContext.traceId)
  assert.equal(lines[0]?.['span_id'], spanContext.spanId)
  assert.equal(lines[0]?.['job_id'], '7')
})

test('a line outside a span, and one inside a span whose context is not valid, carries neither', () => {
  const { logger, lines } = collectingLogger()
  logger.info('outside')
  inSpan(() => logger.info('invalid'), { ...spanContext, traceId: '0'.repeat(32) })
  assert.equal(lines.length, 2)
  for (const line of lines) assert.ok(!('trace_id' in line) && !('span_id' in line))
})

test('no field of a line outside a span comes back in the next one', () => {
  const { logger, lines } = collectingLogger()
  logger.info({ password: 'secret' }, 'first')
  logger.info('second')
  assert.ok(lines[0] !== undefined && 'password' in lines[0])
  assert.ok(lines[1] !== undefined && !('password' in lines[1]))
})

test('child loggers inherit the ids, and a mixin of the program keeps its say', () => {
  const { logger, lines } = collectingLogger({ mixin: () => ({ zone: 'a', span_id: 'own' }) })
  inSpan(() => logger.child({ component: 'api' }).warn('x'))
  assert.deepEqual(
    ['trace_id', 'span_id', 'zone', 'component'].map((key) => lines[0]?.[key]),
    [spanContext.traceId, 'own', 'a', 'api'],
  )
})
