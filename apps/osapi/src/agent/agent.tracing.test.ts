import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { headers } from '@nats-io/nats-core'
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { type ReadableSpan, TracerProvider, w3cTraceContextPropagator } from '@throughline/trace'
import { World } from '../testing/world.ts'

const spans: ReadableSpan[] = []
const provider = new TracerProvider({
  spanProcessors: [
    {
      onStart: () => undefined,
      onEnd: (span) => void spans.push(span),
      forceFlush: () => Promise.resolve(),
      shutdown: () => Promise.resolve(),
    },
  ],
})

/** The span of this name in a trace, once it has ended. */
async function spanOf(traceId: string, name: string): Promise<ReadableSpan> {
  for (;;) {
    const found = spans.find((span) => span.name === name && span.spanContext().traceId === traceId)
    if (found !== undefined) return found
    await new Promise(setImmediate)
  }
}

const parentOf = (span: ReadableSpan) => span.parentSpanContext?.spanId
const shell = (command: string) => ({ type: 'command.shell.execute', data: { command } })

const nothing = () => Promise.reject(new Error('not in this test'))

const inRequest = async (action: () => Promise<unknown>) => {
  const tracer = trace.getTracer('test')
  return tracer.startActiveSpan('request', async (span) => {
    await action().catch(() => undefined)
    span.end()
    return span.spanContext()
  })
}

describe('tracing of a job', () => {
  let world: World
  before(async () => {
    provider.register({ propagator: w3cTraceContextPropagator() })
    world = await World.start()
    await world.worker('alpha')
  })
  after(async () => {
    await world.stop()
    provider.unregister()
  })

  it('makes the worker’s spans one trace with the request', async () => {
    const request = await inRequest(() => world.jobs.run({ type: 'node.hostname.get' }, '_any'))
    const publish = await spanOf(request.traceId, 'publish jobs.query._any')
    const job = await spanOf(request.traceId, 'job.process')
    const execute = await spanOf(request.traceId, 'provider.execute')
    const write = await spanOf(request.traceId, 'job.result.write')
    assert.equal(publish.kind, SpanKind.PRODUCER)
    assert.equal(parentOf(publish), request.spanId)
    assert.equal(job.kind, SpanKind.CONSUMER)
    assert.equal(parentOf(job), publish.spanContext().spanId)
    assert.equal(job.links[0]?.context.spanId, publish.spanContext().spanId)
    assert.equal(parentOf(execute), job.spanContext().spanId)
    assert.equal(parentOf(write), job.spanContext().spanId)
    const { 'job.id': id, ...attributes } = job.attributes
    assert.match(String(id), /^[0-9a-f-]{36}$/)
    for (const [key, value] of Object.entries({
      'job.category': 'node',
      'job.operation': 'hostname.get',
      'job.type': 'node.hostname.get',
      'job.target': '_any',
      'job.status': 'completed',
      'job.attempt': 1,
      'messaging.system': 'nats',
    })) {
      assert.equal(attributes[key], value, key)
    }
    assert.equal(job.status.code, SpanStatusCode.UNSET)
    assert.deepEqual(execute.attributes, {
      'provider.name': 'host',
      'job.id': id,
      'job.type': 'node.hostname.get',
    })
    assert.deepEqual(write.attributes, { 'job.id': id, 'job.status': 'completed' })
    const kvBelow = (parent: ReadableSpan) =>
      spans.filter((span) => span.name.startsWith('kv.') && parentOf(span) === parent.spanContext().spanId)
    assert.ok(kvBelow(job).some(({ name }) => name === 'kv.get job-queue'))
    assert.ok(kvBelow(write).some(({ name }) => name === 'kv.put job-queue'))
  })

  it('puts the ids into the worker’s lines, one span for those of the job', async () => {
    const request = await inRequest(() => world.jobs.run(shell('true'), '_any'))
    const { spanId } = (await spanOf(request.traceId, 'job.process')).spanContext()
    const lines = world.logs.map((line) => JSON.parse(line) as Record<string, unknown>)
    const own = lines.filter((line) => line['trace_id'] === request.traceId)
    for (const message of ['received job notification', 'processing job', 'job processing completed']) {
      assert.equal(own.find(({ msg }) => msg === message)?.['span_id'], spanId, message)
    }
    for (const message of ['publishing job request', 'received job response']) {
      assert.equal(own.find(({ msg }) => msg === message)?.['span_id'], request.spanId, message)
    }
  })

  it('marks a failed job with its message and exception, and a skipped one not', async () => {
    const missing = { type: 'command.exec.execute', data: { command: '/no/such/program' } }
    const failed = await inRequest(() => world.jobs.run(missing, '_any'))
    const job = await spanOf(failed.traceId, 'job.process')
    assert.equal(job.status.code, SpanStatusCode.ERROR)
    assert.match(job.status.message ?? '', /command not found/)
    assert.deepEqual(
      job.events.map(({ name }) => name),
      ['exception'],
    )
    assert.equal(job.attributes['job.status'], 'failed')
    assert.equal((await spanOf(failed.traceId, 'provider.execute')).status.code, SpanStatusCode.ERROR)

    const bare = { read: () => Promise.reject(Object.assign(new Error('none'), { code: 'ENOENT' })) }
    await world.worker('bare', {}, { ...bare, write: nothing, remove: nothing, run: nothing })
    const skipped = await inRequest(() => world.jobs.run({ type: 'node.memory.get' }, 'bare'))
    const skippedJob = await spanOf(skipped.traceId, 'job.process')
    assert.equal(skippedJob.status.code, SpanStatusCode.UNSET)
    assert.equal(skippedJob.attributes['job.status'], 'skipped')
  })

  it('starts a trace of its own for a message without context, or with a malformed one', async () => {
    const traceparents = [undefined, '', 'moon', '00-00000000000000000000000000000000-b7ad6b7169203331-01']
    for (const traceparent of traceparents) {
      const id = world.newId()
      const definition = { id, operation: { type: 'node.hostname.get' } }
      await world.bus.jobs.put(`jobs.${id}`, JSON.stringify(definition))
      const carrier = headers()
      if (traceparent !== undefined) carrier.set('traceparent', traceparent)
      await world.bus.js.publish('jobs.query._any', id, { headers: carrier })
      assert.equal((await world.response(id)).status, 'completed')
      const job = await jobSpan(id)
      assert.equal(parentOf(job), undefined)
      assert.deepEqual(job.links, [])
      assert.equal(job.status.code, SpanStatusCode.UNSET)
    }
  })

  it('continues a trace whatever the case of the header', async () => {
    const id = world.newId()
    await world.bus.jobs.put(`jobs.${id}`, JSON.stringify({ id, operation: { type: 'node.hostname.get' } }))
    const carrier = headers()
    carrier.set('Traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01')
    world.bus.nc.publish('jobs.query._any', id, { headers: carrier })
    const job = await jobSpan(id)
    assert.equal(job.spanContext().traceId, '0af7651916cd43dd8448eb211c80319c')
  })
})

async function jobSpan(id: string): Promise<ReadableSpan> {
  for (;;) {
    const found = spans.find((span) => span.name === 'job.process' && span.attributes['job.id'] === id)
    if (found !== undefined) return found
    await new Promise(setImmediate)
  }
}
