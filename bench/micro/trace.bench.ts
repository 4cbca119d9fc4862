// What one span costs on the host's thread. Run: node bench/dist/micro/trace.bench.js
import { context, defaultTextMapGetter, defaultTextMapSetter, type Tracer } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { AlwaysOffSampler, BasicTracerProvider } from '@opentelemetry/sdk-trace-base'
import {
  AsyncContextManager,
  alwaysOffSampler,
  contextWithSpan,
  OpenSpans,
  rootContext,
  type SpanSink,
  TracerProvider,
  w3cTraceContextPropagator,
} from '@throughline/trace'
import { bench, do_not_optimize, summary } from 'mitata'
import { report } from './report.ts'

context.setGlobalContextManager(new AsyncContextManager())

let endedCount = 0
const nothing = async (): Promise<void> => {}
const sink: SpanSink = { onEnd: () => void (endedCount += 1), forceFlush: nothing, shutdown: nothing }

const ours = new TracerProvider({ spanSinks: [sink] }).getTracer('bench')
const oursOff = new TracerProvider({ spanSinks: [sink], sampler: alwaysOffSampler() }).getTracer('bench')
const openSpans = new OpenSpans()
const oursListed = new TracerProvider({ spanSinks: [sink], openSpans }).getTracer('bench')
const theirs = new BasicTracerProvider().getTracer('bench')
const theirsOff = new BasicTracerProvider({ sampler: new AlwaysOffSampler() }).getTracer('bench')

function spanWithFiveAttributes(tracer: Tracer): void {
  const span = tracer.startSpan('GET /users/:id')
  span.setAttribute('http.request.method', 'GET')
  span.setAttribute('url.path', '/users/42')
  span.setAttribute('http.route', '/users/:id')
  span.setAttribute('http.response.status_code', 200)
  span.setAttribute('server.port', 8080)
  span.end()
}

function activeSpan(tracer: Tracer): void {
  tracer.startActiveSpan('GET /users/:id', (span) => {
    span.setAttribute('http.request.method', 'GET')
    span.setAttribute('url.path', '/users/42')
    span.setAttribute('http.route', '/users/:id')
    span.setAttribute('http.response.status_code', 200)
    span.setAttribute('server.port', 8080)
    span.end()
  })
}

const incoming = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }
const incomingWithState = { ...incoming, tracestate: 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE' }
const ourPropagator = w3cTraceContextPropagator()
const theirPropagator = new W3CTraceContextPropagator()
const remote = ourPropagator.extract(rootContext, incoming, defaultTextMapGetter)
const outgoing: Record<string, string> = {}

summary(() => {
  bench('span, 5 attributes, end: throughline', () => spanWithFiveAttributes(ours))
  bench('span, 5 attributes, end: throughline, open spans listed', () => spanWithFiveAttributes(oursListed))
  bench('span, 5 attributes, end: opentelemetry', () => spanWithFiveAttributes(theirs))
})
summary(() => {
  bench('active span, 5 attributes, end: throughline', () => activeSpan(ours))
  bench('active span, 5 attributes, end: opentelemetry', () => activeSpan(theirs))
})
summary(() => {
  bench('not sampled: throughline', () => spanWithFiveAttributes(oursOff))
  bench('not sampled: opentelemetry', () => spanWithFiveAttributes(theirsOff))
})
summary(() => {
  bench('child of a remote parent, end: throughline', () => ours.startSpan('child', {}, remote).end())
})
summary(() => {
  bench('extract: throughline', () =>
    do_not_optimize(ourPropagator.extract(rootContext, incoming, defaultTextMapGetter)),
  )
  bench('extract: opentelemetry', () =>
    do_not_optimize(theirPropagator.extract(rootContext, incoming, defaultTextMapGetter)),
  )
})
summary(() => {
  bench('extract with tracestate: throughline', () =>
    do_not_optimize(ourPropagator.extract(rootContext, incomingWithState, defaultTextMapGetter)),
  )
  bench('extract with tracestate: opentelemetry', () =>
    do_not_optimize(theirPropagator.extract(rootContext, incomingWithState, defaultTextMapGetter)),
  )
})
// A new span each time: its ids have never been written as hex, which is the common case of an outgoing call.
summary(() => {
  bench('start and inject: throughline', () => {
    const span = ours.startSpan('out', {}, remote)
    ourPropagator.inject(contextWithSpan(remote, span), outgoing, defaultTextMapSetter)
    do_not_optimize(outgoing['traceparent'])
  })
  bench('start and inject: opentelemetry', () => {
    const span = theirs.startSpan('out', {}, remote)
    theirPropagator.inject(contextWithSpan(remote, span), outgoing, defaultTextMapSetter)
    do_not_optimize(outgoing['traceparent'])
  })
  bench('start and inject: throughline, start alone', () =>
    do_not_optimize(ours.startSpan('out', {}, remote)),
  )
})
const started = contextWithSpan(remote, ours.startSpan('out', {}, remote))
summary(() => {
  bench('inject: throughline', () => {
    ourPropagator.inject(started, outgoing, defaultTextMapSetter)
    do_not_optimize(outgoing['traceparent'])
  })
  bench('inject: opentelemetry', () => {
    theirPropagator.inject(started, outgoing, defaultTextMapSetter)
    do_not_optimize(outgoing['traceparent'])
  })
})

await report('trace')
console.log(`spans ended: ${endedCount}`)
