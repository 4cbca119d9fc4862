import assert from 'node:assert/strict'
import { after, afterEach, before, it } from 'node:test'
import { trace } from '@opentelemetry/api'
import { HttpError } from '../httpkit/http-error.ts'
import { collectSpans, type TestSpans } from '../testing/spans.ts'
import { callDownstream, fireAndForget } from './downstream.ts'

let spans: TestSpans
before(() => {
  spans = collectSpans()
})
after(() => spans.unregister())

const lines: object[] = []
const logger = {
  info: () => assert.fail('a failing downstream is no information'),
  warn: (fields: object) => void lines.push(fields),
  error: () => assert.fail('the caller decides what is an error'),
}
afterEach(() => {
  lines.length = 0
})

const failing = (): Promise<never> => Promise.reject(new Error('gone'))

it('what it gives is given on', async () => {
  assert.equal(await callDownstream({ name: 'meter', policy: 'fail-open' }, async () => 7), 7)
})

it('fail-open goes on without', async () => {
  assert.equal(await callDownstream({ name: 'meter', policy: 'fail-open', logger }, failing), undefined)
  assert.deepEqual(lines, [{ downstream: 'meter', policy: 'fail-open', error: 'gone' }])
})

it('fail-closed is 503 to the caller, or what the call itself says', async () => {
  await assert.rejects(callDownstream({ name: 'identity', policy: 'fail-closed', logger }, failing), {
    code: 'unavailable',
    statusCode: 503,
    message: 'identity is not available',
  })
  const refused = new HttpError('forbidden', 'no')
  await assert.rejects(
    callDownstream({ name: 'identity', policy: 'fail-closed' }, () => Promise.reject(refused)),
    refused,
  )
})

it('work that nobody waits for runs in the trace of who started it, and its failure is a line', async () => {
  const found = await new Promise<string | undefined>((resolve) => {
    trace.getTracer('test').startActiveSpan('request', (span) => {
      fireAndForget({ name: 'meter', logger }, async () => {
        await new Promise(setImmediate)
        resolve(trace.getActiveSpan()?.spanContext().traceId)
        throw new Error('gone')
      })
      span.end()
    })
  })
  assert.equal(found, spans.ended.at(-1)?.spanContext().traceId)
  await new Promise(setImmediate)
  assert.equal(lines.length, 1)
  fireAndForget({ name: 'meter', logger }, () => {
    throw new Error('at once')
  })
  await new Promise(setImmediate)
  assert.equal(lines.length, 2)
})
