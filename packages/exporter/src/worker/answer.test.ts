import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { describeError, printable } from './answer.ts'

describe('the cause of a failure, in one line', () => {
  it('names every address of a host that was tried', () => {
    assert.equal(
      describeError(new AggregateError([refused('::1:4318'), refused('127.0.0.1:4318')])),
      'connect ECONNREFUSED ::1:4318; connect ECONNREFUSED 127.0.0.1:4318',
    )
  })

  it('gives the code where the text does not have it', () => {
    assert.equal(describeError(Object.assign(new Error('went away'), { code: 'EPIPE' })), 'EPIPE went away')
    assert.equal(describeError(new TypeError('')), 'TypeError')
    assert.equal(describeError('text'), 'text')
  })

  it('makes the text of a stranger fit for a terminal, and short', () => {
    assert.equal(printable('  a\u001b[31m\r\nb\u202e \0c '), 'a [31m b c')
    assert.equal(printable('x'.repeat(5000)).length, 200)
  })
})

function refused(address: string): Error {
  return Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: 'ECONNREFUSED' })
}
