import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { connect } from '@nats-io/transport-node'
import { startNatsServer } from '@throughline/nats-server'
import { type BrokerHopCounts, traceBrokerHops } from './broker-hops.ts'
import { BrokerSpans, type BrokerSpanView } from './testing/broker-spans.ts'
import { traceNats } from './trace.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const publisherId = 'b7ad6b7169203331'
const header = { traceparent: [`00-${traceId}-${publisherId}-01`] }

// What three nats-servers 2.15.2 said of one message; names and ids shortened.
const first = {
  server: {
    name: 'a',
    id: 'NCAV',
    cluster: 'C',
    ver: '2.15.2',
    seq: 22,
    time: '2026-11-21T06:21:25.12543893Z',
  },
  request: { header, msgsize: 84 },
  hops: 1,
  events: [
    {
      type: 'in',
      ts: '2026-11-21T06:21:25.125333412Z',
      kind: 0,
      cid: 15,
      name: 'client-app',
      acc: 'APP',
      subj: 'pub.x',
    },
    { type: 'sm', ts: '2026-11-21T06:21:25.125363412Z', to: 'pub.y' },
    { type: 'eg', ts: '2026-11-21T06:21:25.125403664Z', kind: 1, cid: 13, name: 'b', hop: '1' },
  ],
}
const second = {
  server: { name: 'b', id: 'NDCL', cluster: 'C', ver: '2.15.2' },
  request: { header: { 'Nats-Trace-Hop': ['1'], ...header }, msgsize: 103 },
  hops: 1,
  events: [
    {
      type: 'in',
      ts: '2026-11-21T06:21:25.125599321Z',
      kind: 1,
      cid: 9,
      name: 'a',
      acc: 'APP',
      subj: 'pub.x',
    },
    { type: 'se', ts: '2026-11-21T06:21:25.125631518Z', acc: 'B', to: 'in.x' },
    {
      type: 'eg',
      ts: '2026-11-21T06:21:25.125634156Z',
      kind: 0,
      cid: 14,
      name: 'client-b',
      acc: 'B',
      sub: 'pub.>',
    },
    { type: 'eg', ts: '2026-11-21T06:21:25.125645797Z', kind: 0, cid: 13, sub: 'pub.*', queue: 'q' },
    { type: 'eg', ts: '2026-11-21T06:21:25.125699763Z', kind: 4, cid: 12, name: 'leaf', hop: '1.1' },
  ],
}
const third = {
  server: { name: 'leaf', id: 'NB4T', ver: '2.15.2' },
  request: { header: { 'Nats-Trace-Hop': ['1.1'], ...header }, msgsize: 155 },
  events: [
    {
      type: 'in',
      ts: '2026-11-21T06:21:26.934985096Z',
      kind: 4,
      cid: 5,
      name: 'b',
      acc: '$G',
      subj: 'pub.x',
    },
    { type: 'js', ts: '2026-11-21T06:21:26.935985096Z', stream: 'S', subject: 'pub.x', nointerest: true },
  ],
}

const spans = new BrokerSpans()
// Any server passes reports on; these were made by others.
const server = await startNatsServer({ env: { PATH: process.env['PATH'] } })
const untraced = await connect({ servers: server.url })
const traced = traceNats(await connect({ servers: server.url }))
after(async () => {
  await untraced.close()
  await traced.close()
  await server.stop()
})
let subjects = 0

/** A subject of a test's own; the spans of the tests before are forgotten. */
function freshSubject(): string {
  spans.ended = []
  return `hops.${subjects++}`
}

/** Publishes reports as servers do, and gives the spans that they have become, and what is accounted for. */
async function report(
  reports: readonly unknown[],
): Promise<{ readonly ended: readonly BrokerSpanView[]; readonly counts: BrokerHopCounts }> {
  const subject = freshSubject()
  const hops = traceBrokerHops(traced, { subject, waitMs: 1_000_000 })
  await traced.flush()
  for (const one of reports) {
    untraced.publish(
      subject,
      typeof one === 'string' || one instanceof Uint8Array ? one : JSON.stringify(one),
    )
  }
  // The server has delivered what it got before the one answer, before it gives the other.
  await untraced.flush()
  await traced.flush()
  const counts = hops.counts()
  hops.stop()
  return { ended: spans.ended, counts }
}

/** The name of each server and that of its parent, which is an id where it is no server. */
function parentsByServer(ended: readonly BrokerSpanView[]): Record<string, unknown> {
  const names = new Map(ended.map((span) => [span.spanId, span.attributes['nats.server.name']]))
  return Object.fromEntries(
    ended.map((span) => [
      span.attributes['nats.server.name'],
      names.get(span.parentId ?? '') ?? span.parentId,
    ]),
  )
}

function reportOfHop(hop: string): unknown {
  return { ...second, request: { header: { 'Nats-Trace-Hop': [hop], ...header } } }
}

describe('broker hops from reports', () => {
  it('makes one span for each server, child of the one before, in the publisher’s trace, whatever the order', async () => {
    for (const order of [
      [first, second, third],
      [third, second, first],
      [second, third, first],
      [third, first, second],
    ]) {
      const { ended, counts } = await report(order)
      assert.deepEqual(parentsByServer(ended), { a: publisherId, b: 'a', leaf: 'b' })
      assert.ok(ended.every((span) => span.traceId === traceId && span.kind === 'INTERNAL'))
      assert.deepEqual(counts, { received: 3, spans: 3, waiting: 0, withoutContext: 0, malformed: 0 })
    }
  })

  it('says what happened in the server: attributes, events and times are the report’s', async () => {
    const { ended } = await report([first, second, third])
    const [a, b, leaf] = ended
    assert.equal(a?.name, 'route pub.x')
    assert.deepEqual(a?.attributes, {
      'messaging.system': 'nats',
      'messaging.destination.name': 'pub.x',
      'messaging.operation.name': 'route',
      'messaging.operation.type': 'route',
      'nats.server.name': 'a',
      'nats.server.id': 'NCAV',
      'nats.server.cluster': 'C',
      'nats.server.version': '2.15.2',
      'nats.account': 'APP',
      'nats.ingress.kind': 'client',
      'nats.ingress.name': 'client-app',
      'nats.egress.clients': 0,
      'nats.egress.servers': 1,
      'messaging.message.envelope.size': 84,
    })
    assert.deepEqual(a?.events, [
      ['nats.subject_mapping', { 'nats.subject.to': 'pub.y' }],
      ['nats.egress', { 'nats.egress.kind': 'route', 'nats.egress.name': 'b', 'nats.hop': '1' }],
    ])
    assert.deepEqual(
      [a?.startTime, a?.endTime],
      [
        [1_795_242_085, 125_333_412],
        [1_795_242_085, 125_403_664],
      ],
    )
    assert.deepEqual(
      [b?.attributes['nats.hop'], b?.attributes['nats.egress.clients'], b?.attributes['nats.egress.servers']],
      ['1', 2, 1],
    )
    assert.deepEqual(b?.events.slice(0, 3), [
      ['nats.stream_export', { 'nats.account': 'B', 'nats.subject.to': 'in.x' }],
      [
        'nats.egress',
        {
          'nats.egress.kind': 'client',
          'nats.egress.name': 'client-b',
          'nats.account': 'B',
          'nats.subscription': 'pub.>',
        },
      ],
      [
        'nats.egress',
        { 'nats.egress.kind': 'client', 'nats.subscription': 'pub.*', 'messaging.consumer.group.name': 'q' },
      ],
    ])
    assert.deepEqual(leaf?.events, [
      ['nats.jetstream', { 'messaging.nats.stream': 'S', 'nats.subject': 'pub.x', 'nats.no_interest': true }],
    ])
  })

  it('finds the server before over any number of hops, and takes times of any precision', async () => {
    const fourth = {
      ...third,
      server: { name: 'last' },
      request: { header: { 'Nats-Trace-Hop': ['1.1.2'], ...header } },
      events: [{ type: 'in', ts: '2026-11-21T07:21:27.5+01:00', kind: 2, cid: 1, acc: '$G', subj: 'pub.x' }],
    }
    const { ended } = await report([first, second, fourth, third])
    assert.deepEqual(parentsByServer(ended), { a: publisherId, b: 'a', leaf: 'b', last: 'leaf' })
    assert.deepEqual(ended.at(-1)?.startTime, [1_795_242_087, 500_000_000])
    assert.equal(ended.at(-1)?.attributes['nats.ingress.kind'], 'gateway')
  })

  it('an error of the server is the span’s; a publisher that does not want its own messages is none', async () => {
    const error = 'Permissions Violation for Publish to "deny.x"'
    const denied = { ...first, events: [{ ...first.events[0], error }] }
    const noEcho = {
      ...first,
      events: [first.events[0], { ...first.events[2], kind: 0, error: 'Not delivered because of no echo' }],
    }
    const { ended } = await report([denied, noEcho])
    assert.deepEqual(
      ended.map((span) => [span.error, span.attributes['error.type']]),
      [
        [error, 'nats.ingress'],
        [undefined, undefined],
      ],
    )
  })

  it('a report whose server before says nothing becomes the publisher’s child when it has waited', async () => {
    const waiting = await report([second, third])
    assert.deepEqual(waiting.counts, { received: 2, spans: 0, waiting: 2, withoutContext: 0, malformed: 0 })
    assert.deepEqual(parentsByServer(waiting.ended), { b: publisherId, leaf: 'b' }, 'stop() waits for nobody')
    const subject = freshSubject()
    const hops = traceBrokerHops(untraced, { subject, waitMs: 1 })
    untraced.publish(subject, JSON.stringify(third))
    await spans.find(({ name }) => name === 'route pub.x')
    assert.deepEqual(parentsByServer(spans.ended), { leaf: publisherId })
    hops.stop()
  })

  it('keeps at most 256 reports waiting: the oldest goes first', async () => {
    const { counts } = await report(Array.from({ length: 257 }, (_, index) => reportOfHop(`${index + 1}.1`)))
    assert.deepEqual([counts.waiting, counts.spans], [256, 1])
  })

  it('what is no report is counted and harms nobody', async () => {
    const report1 = JSON.stringify(first)
    const bad = [
      '',
      '{',
      'null',
      '[]',
      '{}',
      report1.replace('"events":[', '"events":[],"x":['),
      report1.replace('"in"', '"eg"'),
      report1.replace('2026-11-21T06:21:25.125333412Z', 'yesterday'),
      report1.replace('"server":{', '"server":7,"x":{'),
      `${report1}${' '.repeat(262_145 - report1.length)}`,
      Uint8Array.of(0xff, 0xfe),
    ]
    const strange = [
      { ...first, request: { header: {} } },
      { ...first, request: { header: { traceparent: 'text' } } },
      { ...first, request: { header: { traceparent: ['0'.repeat(100_000)] } } },
      { ...first, request: { header: { __proto__: [header.traceparent[0]] } } },
    ]
    const { counts, ended } = await report([
      ...bad,
      ...strange,
      `${report1}${' '.repeat(262_144 - report1.length)}`,
    ])
    assert.deepEqual(counts, { received: 16, spans: 1, waiting: 0, withoutContext: 4, malformed: 11 })
    assert.equal(ended.length, 1)
  })
})
