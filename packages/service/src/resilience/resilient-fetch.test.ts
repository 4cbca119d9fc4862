import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  answerJson,
  type JsonRequest,
  type JsonResponder,
  type JsonServer,
  startJsonServer,
} from '../testing/json-server.ts'
import { collectSpans, type TestSpans } from '../testing/spans.ts'
import { type ResilientFetchOptions, resilientFetch } from './resilient-fetch.ts'

/** What the server says to the first request of a test, the second, and so on; the last one from then on. */
let answers: readonly JsonResponder[] = []
let server: JsonServer
let spans: TestSpans
/** Of this test alone: a request that another one gave up may still arrive. */
let url = ''
const sent = (): readonly JsonRequest[] => server.requests.filter(({ path }) => url.endsWith(path))

before(async () => {
  spans = collectSpans()
  server = await startJsonServer(
    () => answers[Math.min(sent().length, answers.length) - 1] ?? answerJson(200, {}),
  )
})
after(async () => {
  spans.unregister()
  await server.stop()
})
beforeEach((t) => {
  url = `${server.url}/${encodeURIComponent(t.name)}`
  spans.ended.length = 0
  answers = []
})

const drop: JsonResponder = (_request, response) => response.destroy()

function downstream(changes: Partial<ResilientFetchOptions> = {}): typeof fetch {
  return resilientFetch({ name: 'provider', initialDelayMs: 1, delayMsMax: 1, ...changes })
}

async function inSpan<T>(work: () => Promise<T>): Promise<T> {
  return trace.getTracer('test').startActiveSpan('caller', async (span) => {
    try {
      return await work()
    } finally {
      span.end()
    }
  })
}

describe('attempts', () => {
  it('each is a client span of the caller’s trace that says how often it was sent before', async () => {
    answers = [answerJson(503, {}), drop, answerJson(200, { done: true })]
    const answer = await inSpan(async () => {
      const response = await downstream()(url, { method: 'POST', body: '"x"' })
      return response.json()
    })
    assert.deepEqual(answer, { done: true })
    const caller = spans.ended.find(({ name }) => name === 'caller')
    const attempts = spans.ended.filter(({ kind }) => kind === SpanKind.CLIENT)
    assert.deepEqual(
      attempts.map(({ attributes, status, parentSpanContext }) => [
        attributes['http.response.status_code'],
        attributes['http.request.resend_count'],
        status.code,
        parentSpanContext?.spanId,
      ]),
      [
        [503, undefined, SpanStatusCode.ERROR, caller?.spanContext().spanId],
        [undefined, 1, SpanStatusCode.ERROR, caller?.spanContext().spanId],
        [200, 2, SpanStatusCode.UNSET, caller?.spanContext().spanId],
      ],
    )
    assert.equal(new Set(sent().map(({ headers }) => headers['traceparent'])).size, 3)
  })

  it('what may succeed later is tried again, anything else is the answer', async () => {
    for (const [status, count] of [
      [408, 2],
      [429, 2],
      [500, 2],
      [502, 2],
      [503, 2],
      [504, 2],
      [200, 1],
      [400, 1],
      [404, 1],
      [501, 1],
    ] as const) {
      url = `${server.url}/${status}`
      answers = [answerJson(status, {})]
      const response = await downstream({ attemptsMax: 2 })(url)
      assert.equal(response.status, status)
      assert.equal(sent().length, count, `status ${status}`)
      await response.body?.cancel()
    }
  })

  it('Retry-After counts instead of the backoff', async () => {
    answers = [
      (_request, response) => response.writeHead(429, { 'retry-after': '0' }).end(),
      answerJson(200, {}),
    ]
    const tooLong = 2 ** 31 - 1
    const response = await downstream({ initialDelayMs: tooLong, delayMsMax: tooLong, random: () => 0.99 })(
      url,
    )
    assert.equal(response.status, 200)
  })

  it('a body that can be read only once is sent once', async () => {
    answers = [answerJson(503, {})]
    const body = new Blob(['"x"']).stream()
    const init = { method: 'POST', body, duplex: 'half' } as const
    assert.equal((await downstream()(url, init)).status, 503)
    assert.equal(sent().length, 1)
  })

  it('the caller’s end of patience is the end', async () => {
    const patience = new AbortController()
    answers = [() => patience.abort(new Error('enough'))]
    await assert.rejects(downstream()(url, { signal: patience.signal }), /enough/)
    assert.equal(sent().length, 1)
  })

  it('the whole call has a limit', async () => {
    answers = [() => {}]
    await assert.rejects(downstream({ timeoutMs: 1 })(url), { name: 'TimeoutError' })
  })
})

describe('the breaker', () => {
  const openMs = 10_000

  it('opens after failures in a row, lets one call probe, and closes when that succeeds', async (t) => {
    t.mock.timers.enable({ apis: ['Date'] })
    const call = downstream({ attemptsMax: 1, breakerFailures: 2, breakerOpenMs: openMs })
    answers = [
      answerJson(500, {}),
      answerJson(200, {}),
      answerJson(500, {}),
      drop,
      answerJson(500, {}),
      answerJson(200, {}),
    ]
    const status = async (): Promise<number> => {
      const response = await call(url)
      await response.body?.cancel()
      return response.status
    }
    assert.deepEqual([await status(), await status(), await status()], [500, 200, 500])
    await assert.rejects(call(url), TypeError)
    await assert.rejects(
      inSpan(() => call(url)),
      { code: 'circuit_open' },
    )
    assert.equal(sent().length, 4)
    assert.equal(spans.ended.at(-1)?.events[0]?.name, 'circuit_open')
    t.mock.timers.tick(openMs)
    assert.equal(await status(), 500)
    await assert.rejects(call(url), { code: 'circuit_open' })
    t.mock.timers.tick(openMs)
    assert.equal(await status(), 200)
    assert.equal(await status(), 200)
  })

  it('counts neither 429 nor a caller who gives up', async () => {
    const call = downstream({ attemptsMax: 1, breakerFailures: 1 })
    answers = [answerJson(429, {})]
    assert.equal((await call(url)).status, 429)
    await assert.rejects(call(url, { signal: AbortSignal.abort() }), { name: 'AbortError' })
    assert.equal((await call(url)).status, 429)
  })

  it('is not asked again by the retries of the call that it refuses', async () => {
    const call = downstream({ attemptsMax: 4, breakerFailures: 2 })
    answers = [answerJson(500, {})]
    await assert.rejects(call(url), { code: 'circuit_open' })
    assert.equal(sent().length, 2)
  })
})

describe('options', () => {
  it('that cannot be used are named', () => {
    for (const [options, text] of [
      [{ attemptsMax: 0 }, /attemptsMax 0 must be a whole number from 1/],
      [{ initialDelayMs: -1 }, /initialDelayMs -1 must be a whole number from 0/],
      [{ timeoutMs: 0.5 }, /timeoutMs 0.5/],
      [{ breakerFailures: 0 }, /breakerFailures 0/],
    ] as const)
      assert.throws(() => resilientFetch({ name: 'x', ...options }), text)
  })
})
