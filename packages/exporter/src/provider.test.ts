import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { decodeTraces } from '@throughline/otlp'
import { TracerProvider } from '@throughline/trace'
import { createOtlpExporter } from './otlp-exporter.ts'
import { accept, startHttpPeer } from './testing/http-peer.ts'

describe('the exporter behind the tracer provider', () => {
  it('delivers what the tracer recorded', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { clock } = new TracerProvider({})
    const exporter = createOtlpExporter({
      endpoint: peer.url,
      protocol: 'http/protobuf',
      resource: {},
      clock,
    })
    const provider = new TracerProvider({ clock, spanSinks: [exporter] })
    const tracer = provider.getTracer('shop', '1.2.3')
    const beforeMs = Date.now()
    const parent = tracer.startSpan('GET /cart', { kind: SpanKind.SERVER })
    const child = tracer.startSpan(
      'GET',
      {
        kind: SpanKind.CLIENT,
        attributes: { 'größe 🚀': [1, 2] },
        links: [{ context: parent.spanContext() }],
      },
      trace.setSpan(ROOT_CONTEXT, parent),
    )
    child.addEvent('retry', { attempt: 2 })
    child.setStatus({ code: SpanStatusCode.ERROR, message: 'boom' })
    child.end()
    parent.end()
    const afterMs = Date.now()
    await provider.shutdown()
    assert.deepEqual(exporter.ledger(), { ended: 2, delivered: 2, pending: 0, spooled: 0, dropped: {} })

    const decoded = decodeTraces(peer.requests[0]?.body ?? Buffer.alloc(0))
    const [scopeSpans] = decoded.value?.resourceSpans[0]?.scopeSpans ?? []
    assert.equal(scopeSpans?.scope.name, 'shop')
    const [first, second] = scopeSpans?.spans ?? []
    assert.equal(second?.spanId, parent.spanContext().spanId)
    assert.equal(second?.traceId, parent.spanContext().traceId)
    assert.equal(first?.parentSpanId, parent.spanContext().spanId)
    assert.equal(first?.kind, 3)
    assert.deepEqual(first?.attributes, [{ key: 'größe 🚀', value: [1, 2] }])
    assert.equal(first?.events[0]?.name, 'retry')
    assert.equal(first?.links[0]?.spanId, parent.spanContext().spanId)
    assert.deepEqual(first?.status, { code: 2, message: 'boom' })
    const startMs = Number((second?.startTimeUnixNano ?? 0n) / 1_000_000n)
    // The tracer's clock may be up to 20 ms off the wall clock.
    assert.ok(startMs >= beforeMs - 21 && startMs <= afterMs + 21, `${startMs} is the time of day`)
  })
})
