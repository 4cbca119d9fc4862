import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { NatsConnection } from '@nats-io/nats-core'
import { traceNats } from './index.ts'

function withOptions(options: object): NatsConnection {
  return traceNats({} as NatsConnection, options)
}

it('a bad option stops the set-up and names option, value and what is allowed', () => {
  const bad: [options: object, message: string][] = [
    [{ consumerParent: 'none' }, 'consumerParent: got "none"; allowed: "producer", "link"'],
    [{ rootSpans: 0 }, 'rootSpans: got 0; allowed: true, false'],
    [{ trust: true }, 'trust: got true; allowed: "continue", "restart-with-link", a function'],
    [{ destinationTemplate: 'orders.{id}' }, 'destinationTemplate: got "orders.{id}"; allowed: a function'],
    [{ processSpan: null }, 'processSpan: got null; allowed: a function'],
    [{ tracerProvider: {} }, 'tracerProvider: got an object; allowed: an object with getTracer()'],
    [{ meterProvider: [] }, 'meterProvider: got a list; allowed: an object with getMeter()'],
    [
      { propagator: { inject: withOptions } },
      'propagator: got an object; allowed: an object with inject(), extract(), fields()',
    ],
    [{ brokerTraceDest: 'a.*' }, 'brokerTraceDest: got "a.*"; allowed: a subject without wildcards'],
  ]
  for (const [options, message] of bad) {
    assert.throws(() => withOptions(options), { name: 'NatsTracingError', code: 'invalid_option', message })
  }
  assert.throws(
    () => withOptions({ consumerparent: 'link' }),
    /^NatsTracingError: consumerparent: no such option; /,
  )
})

it('options that are not given, or undefined, are fine', () => {
  withOptions({})
  withOptions({ trust: undefined, consumerParent: undefined, rootSpans: undefined, processSpan: undefined })
  withOptions({ trust: () => 'continue', brokerTraceDest: 'trace.hops' })
})
