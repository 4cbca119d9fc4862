import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { checkTransmission, processEvent, sendEvent, type Violation } from '@throughline/cloudevents'
import { instrumentHttp } from '@throughline/http'
import { type ReadableSpan, TracerProvider, w3cTraceContextPropagator } from '@throughline/trace'

const event = { id: '1', source: '/s', type: 't', data: { a: 1 } }

function done(): Promise<void> {
  return Promise.resolve()
}

test('events over instrumented HTTP: header and envelope are equal, or one span apart where both are wanted', async () => {
  const spans: ReadableSpan[] = []
  const ended = new EventEmitter()
  const onEnd = (span: ReadableSpan): void => {
    spans.push(span)
    ended.emit('span')
  }
  const processor = { onStart() {}, onEnd, forceFlush: done, shutdown: done }
  new TracerProvider({ spanProcessors: [processor] }).register({ propagator: w3cTraceContextPropagator() })
  instrumentHttp()
  let violations: readonly Violation[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const received = { headers: request.headers, body: Buffer.concat(chunks) }
      processEvent(received, { binding: 'http' }, ({ event: read }) => {
        if (read !== undefined) violations = checkTransmission({ ...received, event: read, hops: 'one' })
      })
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  const url = `http://127.0.0.1:${address.port}/`

  /** From the sender to the consumer, each the child of the one before. */
  async function chain(transportSpan: boolean, count: number): Promise<string[]> {
    spans.splice(0)
    await sendEvent(event, { binding: 'http', transportSpan }, async ({ headers, body }) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: [...headers].map(([k, v]) => [k, v]),
        body: Buffer.from(body),
      })
      await response.arrayBuffer()
    })
    while (spans.length < count) await once(ended, 'span')
    const names: string[] = []
    let parent: string | undefined
    for (;;) {
      const next = spans.find((span) => span.parentSpanContext?.spanId === parent)
      if (next === undefined) return names
      names.push(next.name)
      parent = next.spanContext().spanId
    }
  }

  assert.deepEqual(await chain(false, 3), ['CloudEvents Create t', 'POST', 'CloudEvents Process t'])
  assert.deepEqual(violations, [])
  assert.deepEqual(await chain(true, 4), ['CloudEvents Create t', 'POST', 'POST', 'CloudEvents Process t'])
  assert.deepEqual(
    violations.map(({ code }) => code),
    ['header_differs'],
  )
  server.close()
})
