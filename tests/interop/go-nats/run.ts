// One trace with a Go service over NATS, in both directions. Needs Go; see ../README.md.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers, type Msg } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { SpanKind, trace } from '@opentelemetry/api'
import { checkTransmission, processEvent, sendEvent, type Violation } from '@throughline/cloudevents'
import { traceNats } from '@throughline/nats'
import { startNatsServer } from '@throughline/nats-server'
import { type ReadableSpan, TracerProvider, w3cTraceContextPropagator } from '@throughline/trace'

const source = fileURLToPath(new URL('../../../interop/go-nats', import.meta.url))
const binary = join(mkdtempSync(join(tmpdir(), 'go-peer-')), 'go-peer')
console.log('building the Go peer')
execFileSync('go', ['build', '-o', binary, '.'], { cwd: source, stdio: 'inherit' })

const spans: ReadableSpan[] = []
new TracerProvider({
  spanProcessors: [
    {
      onStart() {},
      onEnd: (span) => void spans.push(span),
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
    },
  ],
}).register({ propagator: w3cTraceContextPropagator() })

const server = await startNatsServer({ jetstream: true })
const untraced = await connect({ servers: server.url })
const connection = traceNats(await connect({ servers: server.url }))
connection.subscribe('ask.js', { callback: (_error, message) => void message.respond('hello Go') })
/** The CONSUMER span of each event that Go sent, and what was against the extension. */
const events = new Map<string, { readonly violations: readonly Violation[] }>()
for (const subject of ['ce.js.both', 'ce.js.envelope', 'ce.js.binary']) {
  // Untraced: what CloudEvents alone make of the message.
  untraced.subscribe(subject, { callback: (_error, message) => receiveEvent(message) })
}
const fromGo = connection.subscribe('to.js', { max: 1 })
const manager = await jetstreamManager(connection)
await manager.streams.add({ name: 'G', subjects: ['js.>'] })
await manager.consumers.add('G', { durable_name: 'd', ack_policy: 'explicit' })

const said = new Map<string, { traceId: string; spanId: string }>()
const peer = spawn(binary, [server.url], { stdio: ['ignore', 'pipe', 'inherit'] })
const ended = once(peer, 'close')
const lines = createInterface({ input: peer.stdout })
lines.on('line', (line) => {
  console.log(`go: ${line}`)
  const [what = '', traceId = '', spanId = ''] = line.split(' ')
  said.set(what, { traceId, spanId })
  if (what === 'ready') trace.getTracer('t').startActiveSpan('js.root', sendToGo)
})
function sendToGo(span: { end(): void }): void {
  connection.publish('to.go')
  void jetstream(connection).publish('js.to.go')
  const event = { id: '1', source: '/js', type: 'com.example.from.js', data: { from: 'JavaScript' } }
  sendEvent(event, { binding: 'nats' }, (written) => {
    const sent = headers()
    for (const [name, value] of written.headers) sent.append(name, value)
    untraced.publish('ce.go', written.body, { headers: sent })
  })
  span.end()
}
function receiveEvent(message: Msg): void {
  const received = { headers: message.headers, body: message.data }
  processEvent(
    received,
    { binding: 'nats', attributes: { subject: message.subject } },
    ({ event, error }) => {
      assert.equal(error, undefined)
      assert.ok(event !== undefined)
      assert.deepEqual(event.data, { from: 'Go' })
      events.set(message.subject, { violations: checkTransmission({ ...received, event, hops: 'one' }) })
    },
  )
}

for await (const _message of fromGo) break
const consumer = await jetstream(connection).consumers.get('G', 'd')
for await (const message of await consumer.fetch({ max_messages: 1, expires: 5_000 })) message.ack()
const [code] = await ended
await connection.drain()
await untraced.drain()
await server.stop()
assert.equal(code, 0)

/** Our CONSUMER span on `subject` must be a child of the Go span, and linked to it. */
function assertContinued(subject: string, by: string): void {
  const goSpan = said.get(by)
  const span = spans.find(({ kind, attributes }) => {
    return kind === SpanKind.CONSUMER && attributes['messaging.destination.name'] === subject
  })
  assert.ok(span !== undefined && goSpan !== undefined, subject)
  assert.equal(span.spanContext().traceId, goSpan.traceId)
  assert.equal(span.parentSpanContext?.spanId, goSpan.spanId)
  assert.deepEqual(
    span.links.map((link) => link.context.spanId),
    [goSpan.spanId],
  )
}

assertContinued('ask.js', 'requested')
assertContinued('js.go', 'requested')
assertContinued('to.js', 'answered')
const published = spans.find((span) => span.name === 'publish to.go')?.spanContext()
assert.deepEqual(said.get('parent'), { traceId: published?.traceId, spanId: published?.spanId })
const consumed = spans.find((span) => span.name === 'publish js.to.go')?.spanContext()
assert.deepEqual(said.get('stored'), { traceId: consumed?.traceId, spanId: consumed?.spanId })

const created = spans.find((span) => span.name === 'CloudEvents Create com.example.from.js')?.spanContext()
const createdIds = { traceId: created?.traceId, spanId: created?.spanId }
assert.deepEqual(said.get('header'), createdIds)
assert.deepEqual(said.get('envelope'), createdIds)
for (const subject of ['ce.js.both', 'ce.js.envelope', 'ce.js.binary']) {
  const span = spans.find(({ attributes }) => attributes['subject'] === subject)
  assert.equal(span?.spanContext().traceId, said.get('sent')?.traceId, subject)
  assert.equal(span?.parentSpanContext?.spanId, said.get('sent')?.spanId, subject)
  assert.deepEqual(events.get(subject)?.violations, [], subject)
}
console.log('one trace in each direction, core and JetStream, by header and by envelope')
