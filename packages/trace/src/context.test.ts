import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createContextKey, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import {
  ContextHolder,
  contextWithSpan,
  isTracingSuppressed,
  rootContext,
  SlotContext,
  spanOf,
  suppressTracing,
} from './context.ts'
import { invalidSpan } from './non-recording-span.ts'

const keyA = createContextKey('a')
const keyB = createContextKey('b')

describe('SlotContext', () => {
  test('works with the API’s span functions in both directions', () => {
    const span = invalidSpan()
    assert.equal(trace.getSpan(contextWithSpan(rootContext, span)), span)
    assert.equal(spanOf(trace.setSpan(rootContext, span)), span)
    assert.equal(spanOf(trace.setSpan(ROOT_CONTEXT, span)), span)
    assert.equal(spanOf(trace.deleteSpan(contextWithSpan(rootContext, span))), undefined)
    assert.ok(trace.setSpan(rootContext, span) instanceof SlotContext)
    assert.ok(contextWithSpan(ROOT_CONTEXT, span) instanceof SlotContext)
  })

  test('a foreign context keeps its values below our span', () => {
    const foreign = ROOT_CONTEXT.setValue(keyA, 1)
    const span = invalidSpan()
    const context = contextWithSpan(foreign, span)
    assert.equal(context.getValue(keyA), 1)
    assert.equal(spanOf(context), span)
  })

  test('is immutable, and keeps values and span apart', () => {
    const span = invalidSpan()
    const one = contextWithSpan(rootContext, span).setValue(keyA, 1)
    const two = one.setValue(keyB, 2).setValue(keyA, 3)
    assert.deepEqual([one.getValue(keyA), one.getValue(keyB)], [1, undefined])
    assert.deepEqual([two.getValue(keyA), two.getValue(keyB)], [3, 2])
    assert.equal(spanOf(two), span)
    const three = two.deleteValue(keyA)
    assert.deepEqual([three.getValue(keyA), three.getValue(keyB), two.getValue(keyA)], [undefined, 2, 3])
    assert.equal(rootContext.getValue(keyA), undefined)
  })

  test('carries baggage', () => {
    const context = propagation.setBaggage(rootContext, propagation.createBaggage({ a: { value: '1' } }))
    assert.equal(propagation.getBaggage(context)?.getEntry('a')?.value, '1')
  })

  test('a key set a million times takes the room of one', () => {
    let context = rootContext.setValue(keyB, 'kept')
    for (let index = 0; index < 1_000_000; index += 1) context = context.setValue(keyA, index)
    const { entries } = context as unknown as { entries: { next: { next?: unknown } } }
    assert.equal(entries.next.next, undefined)
    assert.deepEqual([context.getValue(keyA), context.getValue(keyB)], [999_999, 'kept'])
  })
})

test('suppression is a value like any other', () => {
  assert.equal(isTracingSuppressed(rootContext), false)
  assert.equal(isTracingSuppressed(suppressTracing(rootContext)), true)
  assert.equal(isTracingSuppressed(suppressTracing(ROOT_CONTEXT)), true)
})

test('a holder answers with what it holds now', () => {
  const holder = new ContextHolder(rootContext)
  const span = invalidSpan()
  assert.equal(spanOf(holder), undefined)
  holder.current = contextWithSpan(rootContext, span)
  assert.equal(spanOf(holder), span)
  assert.equal(holder.setValue(keyA, 1).getValue(keyA), 1)
  assert.equal(holder.getValue(keyA), undefined)
})
