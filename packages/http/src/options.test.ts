import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  fastifyTracing,
  type HttpOptions,
  HttpTracingError,
  httpMiddleware,
  instrumentHttp,
  tracedAgent,
  tracedFetch,
} from './index.ts'

const wrong: [string, Record<string, unknown>][] = [
  ['semconv', { semconv: 'http' }],
  ['trust', { trust: 'yes' }],
  ['server', { server: 'no' }],
  ['ignoreRequest', { ignoreRequest: true }],
  ['errorStatusFrom', { errorStatusFrom: 99 }],
  ['errorStatusFrom', { errorStatusFrom: 601 }],
  ['errorStatusFrom', { errorStatusFrom: 499.5 }],
  ['propagateTo', { propagateTo: 'some' }],
  ['propagateTo', { propagateTo: [''] }],
  ['excludedPaths', { excludedPaths: ['health'] }],
  ['excludedPaths', { excludedPaths: '/health' }],
  ['redactedQueryKeys', { redactedQueryKeys: [1] }],
]

test('a wrong option stops every entry, with a message that names it', () => {
  for (const [name, options] of wrong) {
    // What JavaScript callers may pass.
    const given = options as HttpOptions
    const entries = [
      () => instrumentHttp(given),
      () => httpMiddleware(given),
      () => tracedFetch(undefined, given),
      () => tracedAgent(undefined, given),
      () => fastifyTracing({ addHook: () => undefined }, given, () => {}),
    ]
    for (const entry of entries) {
      assert.throws(entry, (error) => error instanceof HttpTracingError && error.message.includes(name), name)
    }
  }
})

test('the limits of errorStatusFrom are accepted', () => {
  for (const errorStatusFrom of [100, 600]) instrumentHttp({ errorStatusFrom }).disable()
})
