import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { Diagnostics } from './diagnostics.ts'

describe('Diagnostics', () => {
  let nowMs = 0
  let said: string[] = []
  let diagnostics: Diagnostics
  beforeEach(() => {
    nowMs = 0
    said = []
    diagnostics = new Diagnostics({
      endpoint: 'http://collector:4318/v1/traces',
      itemName: 'span',
      write: (message) => said.push(message),
      now: () => nowMs,
    })
  })

  it('says a failure at once, then once a minute, then that it is over', () => {
    diagnostics.attemptFailed('connect ECONNREFUSED', { pending: 1, spooled: 0 })
    nowMs = 59_999
    diagnostics.attemptFailed('connect ECONNREFUSED', { pending: 70, spooled: 0 })
    nowMs = 60_000
    diagnostics.attemptFailed('HTTP 503', { pending: 80, spooled: 0 })
    nowMs = 61_000
    diagnostics.answered()
    diagnostics.answered()
    assert.deepEqual(said, [
      'throughline: cannot export to http://collector:4318/v1/traces: connect ECONNREFUSED; 1 span waits, trying again',
      'throughline: still cannot export to http://collector:4318/v1/traces after 60 s: HTTP 503; 80 spans wait, trying again',
      'throughline: export to http://collector:4318/v1/traces works again after 61 s',
    ])
  })

  it('adds up what is dropped for one reason within a minute', () => {
    diagnostics.dropped('queue_full', 1, 'full')
    diagnostics.dropped('queue_full', 1, 'full')
    diagnostics.dropped('http_400', 5, 'HTTP 400: bad')
    nowMs = 60_000
    diagnostics.dropped('queue_full', 2, 'full')
    assert.deepEqual(said, [
      'throughline: dropped 1 span (queue_full): full',
      'throughline: dropped 5 spans (http_400): HTTP 400: bad',
      'throughline: dropped 3 spans (queue_full): full',
    ])
  })

  it('is not disturbed by a writer that throws', () => {
    const broken = new Diagnostics({
      endpoint: '',
      itemName: 'span',
      write: () => {
        throw new Error('logger is broken')
      },
      now: () => 0,
    })
    broken.attemptFailed('x', { pending: 1, spooled: 0 })
    broken.say('x')
  })
})
