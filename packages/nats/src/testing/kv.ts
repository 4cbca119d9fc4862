import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import { jetstream } from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import { tracedKv, tracedKvm } from '../index.ts'
import { collect, type Harness, World } from './harness.ts'

/** One CLIENT span for each operation of a bucket. */
export function kvContract(harness: Harness): void {
  describe(`KV under ${harness.name}`, () => {
    const world = new World(harness)
    let kv: KV
    before(async () => {
      kv = await new Kvm(world.traced).create('box', { history: 5 })
    })
    beforeEach(() => world.spans.reset())

    it('opening, making and removing a bucket, and its status, are one CLIENT span each', async () => {
      await world.inRoot(async () => {
        const made = await new Kvm(world.traced).create('other')
        const opened = await new Kvm(world.traced).open('other')
        assert.equal((await opened.status()).bucket, 'other')
        assert.equal(await made.destroy(), true)
      })
      const root = world.spans.named('root')
      assert.deepEqual(
        world.spans.ended.map((span) => [span.name, span.kind, span.parentId]),
        [
          ['kvm.create other', 'CLIENT', root.spanId],
          ['kvm.open other', 'CLIENT', root.spanId],
          ['kv.status other', 'CLIENT', root.spanId],
          ['kv.destroy other', 'CLIENT', root.spanId],
          ['root', 'INTERNAL', undefined],
        ],
      )
      assert.deepEqual(world.spans.named('kvm.create other').attributes, {
        'nats.kv.bucket': 'other',
        'nats.kv.operation': 'create',
        'server.address': '127.0.0.1',
        'server.port': world.server.port,
      })
    })

    it('each write is one CLIENT span with its revision, and the entry carries it', async () => {
      await world.inRoot(async () => {
        assert.equal(await kv.put('w', 'one'), 1)
        assert.equal(await kv.update('w', 'two', 1), 2)
        await kv.delete('w')
        assert.equal(await kv.create('w', 'three'), 4)
        await kv.purge('w')
      })
      const root = world.spans.named('root')
      const writes = world.spans.ended.filter((span) => span !== root)
      assert.deepEqual(
        writes.map((span) => [span.name, span.kind, span.parentId, span.attributes['nats.kv.revision']]),
        [
          ['kv.put box', 'CLIENT', root.spanId, 1],
          ['kv.update box', 'CLIENT', root.spanId, 2],
          ['kv.delete box', 'CLIENT', root.spanId, undefined],
          ['kv.create box', 'CLIENT', root.spanId, 4],
          ['kv.purge box', 'CLIENT', root.spanId, undefined],
        ],
      )
      assert.deepEqual(writes[0]?.attributes, {
        'nats.kv.bucket': 'box',
        'nats.kv.key': 'w',
        'nats.kv.operation': 'put',
        'nats.kv.revision': 1,
        'server.address': '127.0.0.1',
        'server.port': world.server.port,
      })
    })

    it('a read is the span of the reader, linked to the writer and never its child', async () => {
      await world.inRoot(() => kv.put('r', 'value'))
      const put = world.spans.named('kv.put box')
      const entry = await kv.get('r')
      assert.deepEqual([entry?.string(), entry?.key, entry?.operation], ['value', 'r', 'PUT'])
      const get = world.spans.named('kv.get box')
      assert.deepEqual([get.kind, get.parentId, get.linkIds], ['CLIENT', undefined, [put.spanId]])
      assert.notEqual(get.traceId, put.traceId)
      assert.equal(get.attributes['nats.kv.revision'], entry?.revision)
      assert.equal(await kv.get('absent'), null)
      assert.deepEqual(world.spans.ended.at(-1)?.linkIds, [])
      assert.equal(world.spans.ended.at(-1)?.error, undefined)
    })

    it('refusals are those of the client', async () => {
      await kv.put('e', '1')
      await assert.rejects(kv.create('e', '2'), { name: 'JetStreamApiError' })
      await assert.rejects(kv.update('e', '2', 999), { name: 'JetStreamApiError' })
      assert.throws(() => void kv.update('e', '2', 0), /version must be greater than 0/)
      await assert.rejects(kv.get('no key'), /invalid key/)
      for (const name of ['kv.create box', 'kv.get box'])
        assert.notEqual(world.spans.named(name).error, undefined)
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('watch, keys and history are one span each; their entries come as ever', async () => {
      await kv.put('l.a', '1')
      await kv.put('l.b', '2')
      world.spans.reset()
      assert.deepEqual((await collect(await kv.keys('l.*'))).toSorted(), ['l.a', 'l.b'])
      const history = await collect(await kv.history({ key: 'l.a' }))
      assert.deepEqual(
        history.map((entry) => entry.string()),
        ['1'],
      )
      const seen: string[] = []
      for await (const entry of await kv.watch({ key: 'l.*' })) {
        seen.push(`${entry.key}=${entry.string()}`)
        if (seen.length === 2) await kv.put('l.a', '3')
        if (seen.length === 3) break
      }
      assert.deepEqual(seen, ['l.a=1', 'l.b=2', 'l.a=3'])
      assert.deepEqual(world.spans.names(), ['kv.keys box', 'kv.history box', 'kv.watch box', 'kv.put box'])
      assert.equal(world.spans.named('kv.keys box').attributes['nats.kv.key'], 'l.*')
    })

    it('a bucket on a JetStream client is the same; on an untraced connection it is not touched', async () => {
      const onClient = await new Kvm(jetstream(world.traced)).open('box')
      await onClient.put('p', '1')
      await collect(await onClient.keys('p'))
      assert.deepEqual(world.spans.names(), ['kvm.open box', 'kv.put box', 'kv.keys box'])
      world.spans.reset()
      const plain = await new Kvm(world.untraced).open('box')
      await world.inRoot(() => plain.put('p', '2'))
      await plain.get('p')
      assert.deepEqual(world.spans.names(), ['root'])
      await onClient.get('p')
      assert.deepEqual(world.spans.named('kv.get box').linkIds, [])
    })

    it('a bucket whose server has no direct get reads the same', async () => {
      const slow = await new Kvm(world.traced).create('indirect', { allow_direct: false })
      await world.inRoot(() => slow.put('k', 'v'))
      const put = world.spans.named('kv.put indirect')
      world.spans.reset()
      assert.equal((await slow.get('k'))?.string(), 'v')
      assert.deepEqual(world.spans.names(), ['kv.get indirect'])
      assert.deepEqual(world.spans.named('kv.get indirect').linkIds, [put.spanId])
    })

    it('a purge of many keys is one span; keys are told within bounds', async () => {
      for (const key of ['m.a', 'm.b', 'm.c']) await kv.put(key, 'x')
      world.spans.reset()
      await kv.purge('m.*')
      assert.deepEqual(world.spans.names(), ['kv.purge box'])
      const many = Array.from({ length: 20 }, (_, index) => `w.${index}`)
      await assert.rejects(kv.watch({ key: many }), /filter_subjects/)
      const [watch] = world.spans.ended.slice(-1)
      assert.deepEqual(watch?.attributes['nats.kv.key'], many.slice(0, 16))
      await kv.get('x'.repeat(300))
      assert.equal(world.spans.named('kv.get box').attributes['nats.kv.key'], 'x'.repeat(256))
    })

    it('a watch that is left, or whose connection closes, leaves no span open', async () => {
      const connection = await world.connect()
      const bucket = await new Kvm(connection).open('box')
      const watch = await bucket.watch({ key: 'closing' })
      await kv.put('closing', '1')
      for await (const entry of watch) {
        assert.equal(entry.string(), '1')
        await connection.close()
      }
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('is the same bucket to its user: results, errors, types and order', async () => {
      const outcomes = []
      for (const connection of [world.untraced, world.traced]) {
        const bucket = await new Kvm(connection).create('same', { history: 5 })
        const written = [
          await bucket.put('a', '1'),
          await bucket.update('a', '2', 1),
          await bucket.delete('a'),
          await bucket.create('a', '3'),
          await bucket.put('b', '4'),
        ]
        const refused = []
        for (const call of [
          () => bucket.create('a', 'x'),
          () => bucket.update('a', 'x', 77),
          () => bucket.get('no key'),
          () => bucket.put('', 'x'),
        ]) {
          refused.push(await call().then(String, (error: unknown) => String(error)))
        }
        const history = await collect(await bucket.history({ key: 'a' }))
        const entry = await bucket.get('a')
        const old = await bucket.get('a', { revision: 2 })
        const status = await bucket.status()
        outcomes.push({
          written,
          refused,
          history: history.map(({ key, operation, revision, delta }) => [key, operation, revision, delta]),
          keys: await collect(await bucket.keys()),
          entry: [entry?.string(), entry?.operation, entry?.revision, entry?.constructor.name],
          old: old?.string(),
          absent: await bucket.get('absent'),
          status: [status.bucket, status.values, status.history],
          type: bucket.constructor.name,
          purged: await bucket.purge('a'),
          destroyed: await bucket.destroy(),
        })
      }
      assert.deepEqual(outcomes[1], outcomes[0])
    })

    it('wrapping what is traced already changes nothing', () => {
      assert.equal(tracedKv(kv), kv)
      const manager = new Kvm(world.traced)
      assert.equal(tracedKvm(manager), manager)
    })

    it('a bucket on an untraced connection has its spans by tracedKv', async () => {
      const alone = tracedKv(await new Kvm(world.untraced).open('box'))
      await alone.put('alone', '1')
      await (await tracedKvm(new Kvm(world.untraced)).open('box')).get('alone')
      assert.deepEqual(world.spans.names(), ['kv.put box', 'kvm.open box', 'kv.get box'])
    })
  })
}
