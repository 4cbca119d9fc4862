import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missingFrom, type TraceSpan } from './whole-trace.ts'

type Row = readonly [id: string, parent: string, service: string, kind: string, name: string]

const rows: readonly Row[] = [
  ['01', '', 'osapi-cli', 'INTERNAL', 'osapi client node hostname'],
  ['02', '01', 'osapi-cli', 'CLIENT', 'GET'],
  ['03', '02', 'osapi-api', 'SERVER', 'GET /api/node/:target/hostname'],
  ['04', '03', 'osapi-api', 'CLIENT', 'kv.put job-queue'],
  ['06', '03', 'osapi-api', 'PRODUCER', 'publish jobs.query._any'],
  ['07', '06', 'osapi-worker', 'CONSUMER', 'job.process'],
  ['08', '07', 'osapi-worker', 'CLIENT', 'kv.get job-queue'],
  ['09', '07', 'osapi-worker', 'INTERNAL', 'provider.execute'],
  ['0a', '07', 'osapi-worker', 'INTERNAL', 'job.result.write'],
]

const attributes = {
  'job.id': 'x',
  'job.operation': 'hostname.get',
  'job.type': 'query',
  'job.target': '_any',
}

function spansOf(of: readonly Row[]): TraceSpan[] {
  return of.map(([spanId, parentSpanId, service, kind, name]) => ({
    spanId,
    parentSpanId,
    service,
    kind,
    name,
    attributes: name === 'job.process' || kind === 'PRODUCER' ? attributes : {},
    links: name === 'job.process' ? [{ spanId: '06' }] : [],
  }))
}

test('nothing is missing from the whole trace, in whatever order its spans come', () => {
  assert.deepEqual(missingFrom(spansOf(rows)), [])
  assert.deepEqual(missingFrom(spansOf(rows.toReversed())), [])
})

test('each span that is taken out is missed', () => {
  for (const row of rows) {
    const missing = missingFrom(spansOf(rows.filter((other) => other !== row)))
    assert.ok(missing.length > 0, row[4])
  }
})

test('a second root, a lost parent, a missing link and a missing attribute are each named', () => {
  const second: Row = ['0b', '', 'osapi-worker', 'INTERNAL', 'stray']
  assert.deepEqual(missingFrom(spansOf([...rows, second])), ['2 root spans instead of one'])
  const lost: Row = ['0b', 'ff', 'osapi-worker', 'INTERNAL', 'stray']
  assert.deepEqual(missingFrom(spansOf([...rows, lost])), [
    'the parent of osapi-worker stray is not in the trace',
  ])
  const bare = spansOf(rows).map((span) => ({
    ...span,
    links: [],
    attributes: { ...span.attributes, 'job.target': undefined },
  }))
  assert.deepEqual(missingFrom(bare), [
    'the publish span has no attribute job.target',
    'the job.process span has no attribute job.target',
    'the job.process span has no link to publish',
  ])
})

test('the chain must hang together: job.process under the server span alone is not enough', () => {
  const cut = rows.map((row): Row => (row[0] === '07' ? ['07', '03', row[2], row[3], row[4]] : row))
  assert.ok(
    missingFrom(spansOf(cut)).includes('no job.process span (CONSUMER of osapi-worker) under publish'),
  )
})
