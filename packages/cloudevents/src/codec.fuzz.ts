import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  type AttributeValue,
  type Binding,
  type CloudEvent,
  type ContentMode,
  checkEvent,
  checkTransmission,
  detectMode,
  readBatch,
  readEvent,
  writeEvent,
} from './index.ts'
import { plain } from './testing/events.ts'

// fast-check prints seed and path of a failure; put them into these parameters to replay it.
const runs = { numRuns: 500 }

const modes = fc.constantFrom<ContentMode>('binary', 'json', 'protobuf')
const bindings = fc.constantFrom<Binding>('nats', 'http')
/** Any text without control characters; white space at the ends is the headers' own. */
const texts = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 20 })
  .map((text) => text.replaceAll(/[\p{Cc}\p{Cs}]/gu, '-'))
const names = fc.stringMatching(/^[a-z][a-z0-9]{0,19}$/).map((name) => `x${name}`)
const values: fc.Arbitrary<AttributeValue> = fc.oneof(
  texts,
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.boolean(),
)
const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown)
const data = fc.oneof(
  fc.record({ datacontenttype: fc.constant('application/json'), data: json }),
  fc.record({ datacontenttype: fc.constant('text/plain'), data: texts }),
  fc.record({ data: fc.uint8Array({ minLength: 1, maxLength: 50 }) }),
  fc.constant({}),
)
const events: fc.Arbitrary<CloudEvent> = fc
  .tuple(
    fc.record(
      { id: texts, source: texts, type: texts, subject: texts, dataschema: texts },
      { requiredKeys: ['id', 'source', 'type'] },
    ),
    fc.dictionary(names, values, { maxKeys: 5 }),
    data,
  )
  .map(([core, extensions, rest]) => ({ ...core, ...rest, extensions: { ...extensions } }))

test('every event comes back as it was, whatever the mode', () => {
  fc.assert(
    fc.property(events, modes, bindings, (event, mode, binding) => {
      const { event: read, error } = readEvent(writeEvent(event, mode, binding), binding)
      assert.equal(error, undefined)
      const extensions = Object.entries(event.extensions ?? {})
      const expected =
        mode === 'binary' ? extensions.map(([name, value]) => [name, String(value)]) : extensions
      assert.deepEqual(plain(read), { ...event, extensions: Object.fromEntries(expected) as unknown })
    }),
    runs,
  )
})

const bodies = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.json().map((text) => new TextEncoder().encode(text)),
  // A true event with one byte exchanged, put in or taken away.
  fc
    .tuple(
      events,
      fc.constantFrom<ContentMode>('json', 'protobuf'),
      fc.nat(),
      fc.uint8Array({ maxLength: 2 }),
      fc.nat(2),
    )
    .map(([event, mode, at, put, taken]) => {
      const body = [...writeEvent(event, mode, 'nats').body]
      body.splice(at % (body.length + 1), taken, ...put)
      return Uint8Array.from(body)
    }),
)
const headers = fc.oneof(
  fc.constant(undefined),
  fc.dictionary(
    fc.oneof(
      fc.constantFrom('ce-id', 'ce-type', 'ce-source', 'ce-specversion', 'content-type', 'traceparent'),
      fc.string(),
    ),
    fc.oneof(
      fc.string(),
      fc.array(fc.string(), { maxLength: 3 }),
      fc.constantFrom(
        '1.0',
        'application/cloudevents+json',
        'application/cloudevents+protobuf',
        'application/cloudevents-batch+json',
      ),
    ),
  ),
)

test('no message makes a reader or a checker throw', () => {
  fc.assert(
    fc.property(headers, bodies, bindings, (from, body, binding) => {
      const message = { headers: from, body }
      detectMode(message, binding)
      const { event, error } = readEvent(message, binding)
      assert.notEqual(event === undefined, error === undefined)
      readBatch(message, binding)
      if (event === undefined) return
      checkEvent(event)
      checkTransmission({ event, headers: from, hops: 'one', sent: event })
    }),
    { numRuns: 2000 },
  )
})
