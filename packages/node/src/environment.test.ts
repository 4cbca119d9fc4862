import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TracingConfigError } from './config-error.ts'
import { readBoolean, readChoice, readPairs, readText, readWholeNumber } from './environment.ts'

const refused = (pattern: RegExp) => (error: unknown) =>
  error instanceof TracingConfigError && error.code === 'invalid_environment' && pattern.test(error.message)

test('unset, empty and blank variables are the same', () => {
  for (const env of [{}, { K: '' }, { K: '  ' }]) {
    assert.equal(readText(env, 'K'), undefined)
    assert.equal(readBoolean(env, 'K'), undefined)
    assert.equal(readWholeNumber(env, 'K'), undefined)
    assert.equal(readPairs(env, ['K']), undefined)
  }
})

test('booleans take any case and refuse the rest by name, value and what is allowed', () => {
  assert.equal(readBoolean({ K: 'TRUE' }, 'K'), true)
  assert.equal(readBoolean({ K: 'false' }, 'K'), false)
  assert.throws(
    () => readBoolean({ K: 'yes' }, 'K'),
    refused(/^K: "yes" is not valid; allowed: true, false$/),
  )
})

test('whole numbers: the last accepted and the first refused value', () => {
  assert.equal(readWholeNumber({ K: '1' }, 'K', 1), 1)
  assert.equal(readWholeNumber({ K: '999999999999999' }, 'K'), 999_999_999_999_999)
  for (const text of ['0', '-1', '1.5', '1e3', '1000000000000000', 'ten'])
    assert.throws(() => readWholeNumber({ K: text }, 'K', 1), refused(/at least 1$/))
})

test('the first variable that is set decides, and a refusal names it', () => {
  const choices = ['grpc', 'http/protobuf'] as const
  assert.equal(readChoice({ B: 'GRPC' }, ['A', 'B'], choices), 'grpc')
  assert.equal(readChoice({ A: 'http/protobuf', B: 'grpc' }, ['A', 'B'], choices), 'http/protobuf')
  assert.throws(
    () => readChoice({ B: 'http/json' }, ['A', 'B'], choices),
    refused(/^B: "http\/json" is not valid; allowed: grpc, http\/protobuf$/),
  )
})

test('pairs are percent-decoded, and a refusal does not repeat a value that may be secret', () => {
  assert.deepEqual(readPairs({ H: 'a=1, b = x%20y ,c=k=v,' }, ['H']), { a: '1', b: 'x y', c: 'k=v' })
  assert.throws(
    () => readPairs({ H: 'secret-without-equals' }, ['H']),
    (error: Error) => !error.message.includes('secret'),
  )
  assert.throws(
    () => readPairs({ H: 'authorization=%zz-secret' }, ['H']),
    (error: Error) => {
      return error.message.includes('authorization') && !error.message.includes('secret')
    },
  )
})
