import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type BaggageEntry,
  baggageEntryMetadataFromString,
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  propagation,
  ROOT_CONTEXT,
  trace,
} from '@opentelemetry/api'
import { compositePropagator } from './composite-propagator.ts'
import { contextWithSpan, rootContext, suppressTracing } from './context.ts'
import { extractFromEnvironment, injectIntoEnvironment } from './environment-carrier.ts'
import { invalidSpan } from './non-recording-span.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'
import { emptyTraceState, parseTraceState } from './tracestate.ts'
import { w3cBaggagePropagator } from './w3c-baggage-propagator.ts'
import { w3cTraceContextPropagator } from './w3c-trace-context-propagator.ts'

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

function fail(): never {
  throw new Error('broken')
}

function metadata(text: string): BaggageEntry {
  return { value: '1', metadata: baggageEntryMetadataFromString(text) }
}

function extracted(header: unknown): Record<string, BaggageEntry> | undefined {
  const context = w3cBaggagePropagator().extract(rootContext, { baggage: header }, defaultTextMapGetter)
  const entries = propagation.getBaggage(context)?.getAllEntries()
  return entries && Object.fromEntries(entries)
}

function injected(entries: Record<string, BaggageEntry>): string | undefined {
  const carrier: Record<string, string> = {}
  const context = propagation.setBaggage(rootContext, propagation.createBaggage(entries))
  w3cBaggagePropagator().inject(context, carrier, defaultTextMapSetter)
  return carrier['baggage']
}

describe('w3cBaggagePropagator', () => {
  test('reads entries, whitespace, escapes and metadata', () => {
    const entries = extracted(' a=1 , b = caf%C3%A9%2C ;p=1; q , c=, d%20e=x=y')
    assert.deepEqual(
      Object.entries(entries ?? {}).map(([key, entry]) => [key, entry.value, entry.metadata?.toString()]),
      [
        ['a', '1', undefined],
        ['b', 'café,', 'p=1; q'],
        ['c', '', undefined],
        ['d e', 'x=y', undefined],
      ],
    )
  })

  test('several headers are one list', () => {
    assert.deepEqual(Object.keys(extracted(['a=1', 'b=2']) ?? {}), ['a', 'b'])
  })

  test('members outside the grammar are left out, the others stay', () => {
    assert.deepEqual(
      Object.keys(extracted('novalue,=x,a b=1,(k)=1,q="quoted value",ä=1,b=ü,back=\\,ok=1') ?? {}),
      ['ok'],
    )
    assert.equal(extracted(',,;,='), undefined)
  })

  test('escapes that are no UTF-8 become the replacement character', () => {
    assert.equal(extracted('a=%FF%41%4')?.['a']?.value, '\ufffdA%4')
  })

  test('what was written is read again', () => {
    const entries = {
      plain: { value: 'v' },
      'key with space': { value: 'a,b;c=d "e" \\ %20 é 😀' },
      'per%cent': { value: '100%' },
      '(paren)': { value: '' },
      __proto__x: { value: 'safe' },
      meta: { value: '1', metadata: baggageEntryMetadataFromString('prop=1;flag') },
    }
    const text = injected(entries) ?? ''
    assert.match(text, /^[\x21-\x7e]+$/)
    const read = extracted(text) ?? {}
    for (const [key, entry] of Object.entries(entries)) assert.equal(read[key]?.value, entry.value, key)
    assert.equal(read['meta']?.metadata?.toString(), 'prop=1;flag')
  })

  test('metadata cannot smuggle in members or headers', () => {
    assert.equal(injected({ a: metadata('x,evil=1'), b: metadata('x\r\nEvil: 1') }), 'a=1,b=1')
  })

  test('the 180th entry goes out, the 181st does not; likewise in', () => {
    const entries = Object.fromEntries(
      Array.from({ length: 181 }, (_, index) => [`k${index}`, { value: '1' }]),
    )
    assert.equal(injected(entries)?.split(',').length, 180)
    const text = Object.keys(entries)
      .map((key) => `${key}=1`)
      .join(',')
    assert.equal(Object.keys(extracted(text) ?? {}).length, 180)
  })

  test('8192 bytes go out, 8193 do not', () => {
    assert.equal(injected({ a: { value: 'x'.repeat(8190) } })?.length, 8192)
    assert.equal(injected({ a: { value: 'x'.repeat(8191) } }), undefined)
    assert.equal(injected({ a: { value: '1' }, b: { value: 'x'.repeat(8190) } }), 'a=1')
  })

  test('a prohibitively long header is read up to its limit', () => {
    assert.equal(extracted(`a=${'x'.repeat(1_000_000)}`), undefined)
    assert.deepEqual(Object.keys(extracted(`first=1,a=${'x'.repeat(1_000_000)}`) ?? {}), ['first'])
  })

  test('broken surrogates, empty keys and values that are no text are left out', () => {
    assert.equal(
      injected({ a: { value: '\ud800' }, '': { value: '1' }, n: { value: 1 as never }, ok: { value: '1' } }),
      'ok=1',
    )
  })

  test('carriers and baggage that throw reach nobody', () => {
    const context = propagation.setBaggage(rootContext, propagation.createBaggage({ a: { value: '1' } }))
    w3cBaggagePropagator().inject(context, {}, { set: fail })
    assert.equal(w3cBaggagePropagator().extract(rootContext, {}, { get: fail, keys: fail }), rootContext)
    const broken = propagation.setBaggage(rootContext, { getAllEntries: fail } as never)
    w3cBaggagePropagator().inject(broken, {}, defaultTextMapSetter)
  })
})

describe('w3cTraceContextPropagator', () => {
  const propagator = w3cTraceContextPropagator()

  function injectedFrom(context: Context): Record<string, string> {
    const carrier: Record<string, string> = {}
    propagator.inject(context, carrier, defaultTextMapSetter)
    return carrier
  }

  test('writes a foreign span’s context, with its tracestate', () => {
    const traceState = emptyTraceState().set('b', '2').set('a', '1')
    const context = trace.setSpanContext(ROOT_CONTEXT, {
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: 1,
      traceState,
    })
    assert.deepEqual(injectedFrom(context), { traceparent, tracestate: 'a=1,b=2' })
  })

  test('writes nothing without a valid span, and nothing inside an exporter', () => {
    assert.deepEqual(injectedFrom(rootContext), {})
    assert.deepEqual(injectedFrom(contextWithSpan(rootContext, invalidSpan())), {})
    const parent = parseTraceparent(traceparent)
    assert.ok(parent)
    assert.deepEqual(injectedFrom(suppressTracing(contextWithSpan(rootContext, parent))), {})
  })

  test('carriers and spans that throw reach nobody', () => {
    assert.equal(propagator.extract(rootContext, {}, { get: fail, keys: fail }), rootContext)
    assert.equal(propagator.extract(rootContext, { traceparent: 5 }, defaultTextMapGetter), rootContext)
    assert.equal(propagator.extract(rootContext, undefined, defaultTextMapGetter), rootContext)
    assert.deepEqual(injectedFrom(trace.setSpan(ROOT_CONTEXT, { spanContext: fail } as never)), {})
    const parent = parseTraceparent(traceparent)
    assert.ok(parent)
    propagator.inject(contextWithSpan(rootContext, parent), {}, { set: fail })
  })

  test('flags without a meaning are not taken in', () => {
    assert.equal(parseTraceparent(`${traceparent.slice(0, -2)}ff`)?.traceFlags, 3)
  })

  test('a line end is no whitespace', () => {
    for (const text of [`\n${traceparent}`, `${traceparent}\n`, `\u00a0${traceparent}`]) {
      assert.equal(parseTraceparent(text), undefined)
    }
  })

  test('parse and format are each other’s inverse', () => {
    const span = parseTraceparent(traceparent, 'a=1')
    assert.ok(span)
    assert.equal(formatTraceparent(span), traceparent)
    assert.equal(formatTraceparent(span.spanContext()), traceparent)
    assert.deepEqual(
      [span.isRemote, span.spanContext().isRemote, span.spanContext().traceState?.get('a')],
      [true, true, '1'],
    )
  })
})

describe('TraceState', () => {
  test('changes make a new list, the changed key in front', () => {
    const state = parseTraceState('a=1,b=2')
    assert.ok(state)
    assert.equal(state.set('b', '3').serialize(), 'b=3,a=1')
    assert.equal(state.unset('a').serialize(), 'b=2')
    assert.equal(state.serialize(), 'a=1,b=2')
    assert.deepEqual([state.get('a'), state.get('c')], ['1', undefined])
  })

  test('a 33rd member pushes out the last; what breaks the grammar changes nothing', () => {
    let state = emptyTraceState()
    for (let index = 1; index <= 33; index += 1) state = state.set(`k${index}`, 'v')
    assert.deepEqual([state.get('k1'), state.get('k2'), state.get('k33')], [undefined, 'v', 'v'])
    assert.equal(state.set('UPPER', 'v'), state)
    assert.equal(state.set('k', 'a,b'), state)
  })
})

describe('compositePropagator', () => {
  test('asks all in order; one that throws is passed over', () => {
    const composite = compositePropagator([
      w3cTraceContextPropagator(),
      { inject: fail, extract: fail, fields: () => ['traceparent', 'x'] },
      w3cBaggagePropagator(),
    ])
    const incoming = { traceparent, baggage: 'a=1' }
    const context = composite.extract(rootContext, incoming, defaultTextMapGetter)
    const outgoing: Record<string, string> = {}
    composite.inject(context, outgoing, defaultTextMapSetter)
    assert.deepEqual(outgoing, incoming)
    assert.deepEqual(composite.fields(), ['traceparent', 'tracestate', 'x', 'baggage'])
  })
})

describe('the environment as a carrier', () => {
  test('a context survives the way into a child process', () => {
    const parent = { TRACEPARENT: traceparent, TRACESTATE: 'a=1', BAGGAGE: 'k=v' }
    const context = extractFromEnvironment(parent)
    const child: Record<string, string | undefined> = { PATH: '/bin' }
    injectIntoEnvironment(context, child)
    assert.deepEqual(child, { PATH: '/bin', ...parent })
  })

  test('nothing there: the given context; nothing to say: no stale parent stays', () => {
    assert.equal(extractFromEnvironment({ TRACEPARENT: 'nonsense', traceparent }, rootContext), rootContext)
    const child = { TRACEPARENT: traceparent, TRACESTATE: 'a=1', BAGGAGE: 'k=v', HOME: '/' }
    injectIntoEnvironment(rootContext, child)
    assert.deepEqual(child, { HOME: '/' })
  })
})
