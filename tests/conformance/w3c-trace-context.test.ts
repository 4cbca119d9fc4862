import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultTextMapGetter, defaultTextMapSetter, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { w3cTraceContextPropagator } from '@throughline/trace'
import { knownFailing, type TraceContextVector, vectors } from './w3c-trace-context.vectors.ts'

const propagator = w3cTraceContextPropagator()

/** What goes in through `extract` and comes out again through `inject`. */
function passThrough(vector: TraceContextVector): Record<string, string> | undefined {
  const incoming = { traceparent: vector.traceparent, tracestate: vector.tracestate }
  const context = propagator.extract(ROOT_CONTEXT, incoming, defaultTextMapGetter)
  if (trace.getSpanContext(context) === undefined) return undefined
  const outgoing: Record<string, string> = {}
  propagator.inject(context, outgoing, defaultTextMapSetter)
  return outgoing
}

describe('W3C Trace Context level 2', () => {
  for (const vector of vectors) {
    test(`${vector.name} (${vector.source})`, () => {
      const check = (): void => assert.deepEqual(passThrough(vector), vector.expected)
      const reason = knownFailing.get(vector.name)
      if (reason === undefined) check()
      else
        assert.throws(
          check,
          assert.AssertionError,
          `known to fail (${reason}), but passes: take it off the list`,
        )
    })
  }

  test('every name on the known-failing list is a vector', () => {
    const names = new Set(vectors.map((vector) => vector.name))
    assert.deepEqual(
      [...knownFailing.keys()].filter((name) => !names.has(name)),
      [],
    )
    assert.ok(names.size >= 85)
  })
})
