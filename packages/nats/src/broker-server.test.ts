import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { headers, type NatsConnection } from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { type NatsServer, startNatsServer } from '@throughline/nats-server'
import { probeSubject, traceBrokerHops, traceNats } from './index.ts'
import { type BrokerNetwork, startBrokerNetwork } from './testing/broker-network.ts'
import { BrokerSpans } from './testing/broker-spans.ts'
import { modernServer, noModernServer } from './testing/modern-server.ts'

const spans = new BrokerSpans()
const binary = await modernServer()

if (binary === undefined)
  it(`broker hops on a real server: ${noModernServer}`, (test) => test.diagnostic(noModernServer))
else {
  describe('broker hops through a cluster, a leaf node and an account export', () => network(binary))
  describe('broker hops and JetStream', () => store(binary))
}

/** Resolves when what the one publishes reaches the other, over however many servers. */
async function reached(
  publisher: NatsConnection,
  subscriber: NatsConnection,
  { subject, seenAs = subject }: { readonly subject: string; readonly seenAs?: string },
): Promise<void> {
  const subscription = subscriber.subscribe(seenAs, { callback: () => {} })
  await subscriber.flush()
  // Interest spreads from server to server in its own time; messages before are nobody's.
  while (subscription.getReceived() === 0) {
    publisher.publish(subject)
    await publisher.flush()
    await subscriber.flush()
  }
  subscription.unsubscribe()
}

function network(path: string): void {
  let brokers: BrokerNetwork
  before(async () => {
    brokers = await startBrokerNetwork(path, 'hops.app')
  })
  after(() => brokers.stop())

  it('the servers that a message passes are spans below the publisher’s, with what each did', async () => {
    const first = await brokers.connect('first')
    const leaf = await brokers.connect('leaf')
    const other = await brokers.connect('second', 'other')
    const second = await brokers.connect('second')
    await reached(first, leaf, { subject: 'pub.leaf' })
    await reached(first, other, { subject: 'pub.other', seenAs: 'in.other' })
    const arrived = [leaf, second].map((connection) => connection.subscribe('pub.x', { max: 1 }))
    other.subscribe('in.x', { max: 1 })
    await Promise.all([leaf, second, other].map((connection) => connection.flush()))
    await reached(first, leaf, { subject: 'pub.leaf2' })
    spans.ended = []

    const hops = traceBrokerHops(first, { subject: 'hops.app', waitMs: 60_000 })
    await first.flush()
    traceNats(first).publish('pub.x', 'hi')
    for (const subscription of arrived) for await (const _message of subscription) break
    const onSecond = await spans.find((span) => span.attributes['nats.server.name'] === 'second')
    const onFirst = await spans.find((span) => span.attributes['nats.server.name'] === 'first')
    const publish = await spans.find((span) => span.name === 'publish pub.x')
    hops.stop()
    assert.deepEqual([onFirst.traceId, onFirst.parentId], [publish.traceId, publish.spanId])
    assert.deepEqual([onSecond.traceId, onSecond.parentId], [publish.traceId, onFirst.spanId])
    assert.equal(onFirst.attributes['nats.ingress.name'], 'app on first')
    const told = onSecond.events.map(([name, attributes]) => {
      return [
        name,
        attributes['nats.egress.kind'],
        attributes['nats.egress.name'],
        attributes['nats.account'],
      ]
    })
    assert.deepEqual(
      told.toSorted((a, b) => String(a).localeCompare(String(b))),
      [
        ['nats.egress', 'client', 'app on second', undefined],
        ['nats.egress', 'client', 'other on second', 'OTHER'],
        ['nats.egress', 'leafnode', 'leaf', undefined],
        ['nats.stream_export', undefined, undefined, 'OTHER'],
      ],
    )
  })

  it('an unsampled message and one without context make no spans', async () => {
    const first = await brokers.connect('first')
    spans.ended = []
    const hops = traceBrokerHops(first, { subject: 'hops.app' })
    await first.flush()
    const unsampled = headers()
    unsampled.set('traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-00`)
    first.publish('pub.none', '', { headers: unsampled })
    first.publish('pub.none')
    const sampled = headers()
    sampled.set('Traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`)
    first.publish('pub.none', '', { headers: sampled })
    await spans.find((span) => span.name === 'route pub.none')
    assert.deepEqual(hops.counts(), { received: 1, spans: 1, waiting: 0, withoutContext: 0, malformed: 0 })
    hops.stop()
  })

  it('the probe tells who would get a subject, through which servers, and delivers nothing', async () => {
    const first = await brokers.connect('first')
    const leaf = await brokers.connect('leaf')
    const second = await brokers.connect('second')
    const other = await brokers.connect('second', 'other')
    const delivered: string[] = []
    const callback = (): void => void delivered.push('a message')
    leaf.subscribe('pub.*.probe', { callback })
    second.subscribe('pub.a.probe', { callback, queue: 'workers' })
    other.subscribe('in.a.probe', { callback })
    await Promise.all([leaf, second, other].map((connection) => connection.flush()))
    await reached(first, leaf, { subject: 'pub.leaf3' })
    await reached(first, other, { subject: 'pub.other3', seenAs: 'in.other3' })
    const result = await probeSubject(traceNats(first), 'pub.a.probe', { waitMs: 60_000 })
    assert.ok(result.answered)
    assert.deepEqual(result.servers, ['first', 'second', 'leaf'])
    assert.deepEqual(result.obstacles, [])
    assert.deepEqual(
      result.receivers.toSorted((a, b) => String(a.name).localeCompare(String(b.name))),
      [
        {
          kind: 'client',
          server: 'leaf',
          account: '$G',
          name: 'app on leaf',
          subscription: 'pub.*.probe',
          queue: undefined,
          contextSurvives: true,
        },
        {
          kind: 'client',
          server: 'second',
          account: 'APP',
          name: 'app on second',
          subscription: 'pub.a.probe',
          queue: 'workers',
          contextSurvives: true,
        },
        {
          kind: 'client',
          server: 'second',
          account: 'OTHER',
          name: 'other on second',
          subscription: 'pub.a.probe',
          queue: undefined,
          contextSurvives: true,
        },
      ],
    )
    for (const connection of [leaf, second, other]) await connection.flush()
    assert.deepEqual(delivered, [])
  })

  it('the probe follows a mapping, and tells of nobody where nobody is', async () => {
    const first = await brokers.connect('first')
    const here = await brokers.connect('first')
    here.subscribe('pub.x', { callback: () => {} })
    await here.flush()
    const mapped = await probeSubject(first, 'old.x')
    assert.ok(mapped.answered)
    assert.deepEqual(
      mapped.receivers.map(({ subscription }) => subscription),
      ['pub.x'],
    )
    const nobody = await probeSubject(first, 'nobody.at.home')
    assert.deepEqual(nobody, { answered: true, servers: ['first'], receivers: [], obstacles: [] })
  })
}

function store(path: string): void {
  let server: NatsServer
  let connection: NatsConnection
  before(async () => {
    server = await startNatsServer({
      binary: path,
      env: { PATH: process.env['PATH'] },
      jetstream: true,
      configText: `authorization { users: [
        { user: all, password: p }
        { user: narrow, password: p, permissions: { publish: { deny: ["secret.>"] } } }
        { user: mute, password: p, permissions: { publish: ["only.this"] } }
      ] }`,
    })
    connection = await connect({ servers: server.url, user: 'all', pass: 'p', name: 'all' })
  })
  after(async () => {
    await connection.close()
    await server.stop()
  })

  it('asked for by the header: the stream is told, and what it stores asks for nothing again', async () => {
    const traced = traceNats(connection, { brokerTraceDest: 'hops.mine' })
    const manager = await jetstreamManager(connection)
    await manager.streams.add({ name: 'S', subjects: ['stored.>'] })
    const hops = traceBrokerHops(traced, { subject: 'hops.mine' })
    spans.ended = []
    const ack = await jetstream(traced).publish('stored.x', 'hi')
    const route = await spans.find((span) => span.name === 'route stored.x')
    const publish = await spans.find((span) => span.name === 'publish stored.x')
    hops.stop()
    assert.equal(route.parentId, publish.spanId)
    assert.deepEqual(route.events, [
      ['nats.jetstream', { 'messaging.nats.stream': 'S', 'nats.subject': 'stored.x' }],
    ])
    const stored = await manager.streams.getMessage('S', { seq: ack.seq })
    assert.equal(stored?.header.get('Nats-Trace-Dest'), 'trace disabled')
  })

  it('the probe tells of streams, and of a publisher that may not publish', async () => {
    const result = await probeSubject(connection, 'stored.y')
    assert.ok(result.answered)
    assert.deepEqual(
      result.receivers.map(({ kind, name }) => [kind, name]),
      [['stream', 'S']],
    )
    const manager = await jetstreamManager(connection)
    assert.equal((await manager.streams.info('S')).state.messages, 1, 'the probe stored nothing')
    const narrow = await connect({ servers: server.url, user: 'narrow', pass: 'p', name: 'narrow' })
    const refused = await probeSubject(narrow, 'secret.x')
    await narrow.close()
    assert.ok(refused.answered)
    assert.deepEqual(refused.receivers, [])
    assert.deepEqual(
      refused.obstacles.map(({ kind, name }) => [kind, name]),
      [['publisher', 'narrow']],
    )
    assert.match(refused.obstacles[0]?.reason ?? '', /Permissions Violation/)
    const mute = await connect({ servers: server.url, user: 'mute', pass: 'p' })
    const silent = await probeSubject(mute, 'only.this', { waitMs: 1 })
    await mute.close()
    assert.equal(silent.answered ? '' : silent.reason, 'no_answer')
  })
}
