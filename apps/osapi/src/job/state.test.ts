import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JobStatus } from './model.ts'
import { type EventKey, jobStatus, parseEventKey } from './state.ts'
import {
  isBroadcast,
  isJobId,
  jobSubject,
  kindOf,
  labelMatches,
  labelPrefixes,
  parseSubject,
  routeOf,
  subjectTemplate,
} from './subjects.ts'

const key = (event: string, host: string, unixNano = 1n): EventKey => ({ id: 'i', event, host, unixNano })

describe('the status of a job', () => {
  it('follows from what its workers said, in whatever order the keys come', () => {
    const cases: readonly (readonly [readonly EventKey[], JobStatus])[] = [
      [[], 'submitted'],
      [[key('submitted', '_api')], 'submitted'],
      [[key('acknowledged', 'a')], 'processing'],
      [[key('completed', 'a'), key('started', 'a'), key('acknowledged', 'a')], 'completed'],
      [[key('completed', 'a'), key('started', 'b')], 'processing'],
      [[key('completed', 'a'), key('failed', 'b')], 'partial_failure'],
      [[key('failed', 'a'), key('failed', 'b')], 'failed'],
      [[key('skipped', 'a')], 'skipped'],
      [[key('skipped', 'a'), key('completed', 'b')], 'completed'],
      // A worker that was told lost and came back has the last word.
      [[key('failed', 'a', 2n), key('completed', 'a', 3n)], 'completed'],
      [[key('failed', 'a'), key('retried', '_api')], 'failed'],
    ]
    for (const [events, status] of cases) assert.equal(jobStatus(events), status, JSON.stringify(status))
  })

  it('is read from key names', () => {
    assert.deepEqual(parseEventKey('status.i.started.h.1795230690673523122'), {
      id: 'i',
      event: 'started',
      host: 'h',
      unixNano: 1795230690673523122n,
    })
    for (const bad of ['status.i.started.h', 'status.i.started.h.x', 'jobs.i', 'status.i.started.h.1.2']) {
      assert.equal(parseEventKey(bad), undefined, bad)
    }
  })
})

describe('subjects', () => {
  it('name kind and target under a namespace, and are read back', () => {
    const targets = {
      _any: '_any',
      _all: '_all',
      'web-01.example': 'host.web_01_example',
      'group:web.dev': 'label.group.web.dev',
    }
    for (const [target, route] of Object.entries(targets)) {
      assert.equal(routeOf(target), route)
      const subject = jobSubject('osapi.', 'modify', route)
      assert.equal(subject, `osapi.jobs.modify.${route}`)
      const back = target.startsWith('web') ? 'web_01_example' : target
      assert.deepEqual(parseSubject(subject, 'osapi.'), { kind: 'modify', target: back })
    }
    for (const bad of [
      'jobs.query._any',
      'osapi.jobs.moon._any',
      'osapi.jobs.query',
      'osapi.jobs.query.host',
      'osapi.jobs.query.label.a',
    ]) {
      assert.equal(parseSubject(bad, 'osapi.'), undefined, bad)
    }
  })

  it('are queries for reads, and modify for the rest', () => {
    for (const type of [
      'node.hostname.get',
      'network.dns.get',
      'network.ping.do',
      'x.y.status',
      'node.other',
    ]) {
      assert.equal(kindOf(type), 'query', type)
    }
    for (const type of ['node.hostname.update', 'network.dns.update', 'command.exec.execute', 'x.y.z']) {
      assert.equal(kindOf(type), 'modify', type)
    }
  })

  it('match labels by whole segments', () => {
    assert.deepEqual(labelPrefixes('web.dev.us-east'), ['web', 'web.dev', 'web.dev.us-east'])
    const labels = { group: 'web.dev' }
    assert.deepEqual(
      ['group:web', 'group:web.dev', 'group:web.d', 'group:web.dev.us', 'other:web', 'constructor:x'].map(
        (target) => labelMatches(labels, target),
      ),
      [true, true, false, false, false, false],
    )
    assert.deepEqual(['_any', '_all', 'web-01', 'a:b'].map(isBroadcast), [false, true, false, true])
  })

  it('lose their ids in the names of spans', () => {
    assert.equal(subjectTemplate('n.jobs.query.host.abc'), 'n.jobs.query.host.{host}')
    assert.equal(subjectTemplate('jobs.modify.label.group.web'), 'jobs.modify.label.{label}')
    assert.equal(subjectTemplate('jobs.query._any'), 'jobs.query._any')
    assert.equal(subjectTemplate('audit.550e8400-e29b-41d4-a716-446655440000'), 'audit.{id}')
  })

  it('have ids that are safe in keys', () => {
    assert.deepEqual(['a-1_B', 'x'.repeat(128)].map(isJobId), [true, true])
    assert.deepEqual(['', 'a.b', '*', '>', 'a b', 'x'.repeat(129)].map(isJobId), [
      false,
      false,
      false,
      false,
      false,
      false,
    ])
  })
})
