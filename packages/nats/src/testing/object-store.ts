import assert from 'node:assert/strict'
import { before, beforeEach, describe, it } from 'node:test'
import { jetstreamManager } from '@nats-io/jetstream'
import { type ObjectInfo, type ObjectStore, Objm } from '@nats-io/obj'
import { context, trace } from '@opentelemetry/api'
import { tracedObjectStore, tracedObjm } from '../index.ts'
import { activeSpanId, type Harness, type SpanView, World } from './harness.ts'

/** Three chunks of the size that the client takes by default. */
const threeChunks = Buffer.alloc(300_000, 'o')

/** One CLIENT span for each operation of an object store, whatever number of messages it takes. */
export function objectStoreContract(harness: Harness): void {
  describe(`ObjectStore under ${harness.name}`, () => {
    const world = new World(harness)
    let files: ObjectStore
    before(async () => {
      files = await new Objm(world.traced).create('files')
    })
    beforeEach(() => world.spans.reset())

    /** Only this operation's span has been made, below the span that was active. */
    async function only(name: string, work: () => Promise<unknown>): Promise<SpanView> {
      world.spans.reset()
      await world.inRoot(work)
      const root = world.spans.named('root')
      const span = world.spans.named(`objectstore.${name} files`)
      assert.deepEqual([span.kind, span.parentId, span.error], ['CLIENT', root.spanId, undefined], name)
      assert.equal(world.spans.started, 2, world.spans.names().join())
      return span
    }

    it('put and get are one span each, however many chunks; the reader is linked to the writer', async () => {
      const put = await only('put', () => files.putBlob({ name: 'big', description: 'd' }, threeChunks))
      assert.deepEqual(put.attributes, {
        'nats.objectstore.bucket': 'files',
        'nats.objectstore.object': 'big',
        'nats.objectstore.operation': 'put',
        'nats.objectstore.size': 300_000,
        'nats.objectstore.chunks': 3,
        'server.address': '127.0.0.1',
        'server.port': world.server.port,
      })
      let body: Uint8Array | null = null
      const get = await only('get', async () => {
        body = await files.getBlob('big')
      })
      assert.ok(body !== null && threeChunks.equals(body))
      assert.deepEqual([get.linkIds, get.attributes['nats.objectstore.size']], [[put.spanId], 300_000])
      assert.notEqual(get.traceId, put.traceId)
    })

    it('chunks carry no context, the description of the object does', async () => {
      const put = await only('put', () => files.putBlob({ name: 'carried' }, threeChunks))
      const manager = await jetstreamManager(world.untraced)
      const info = await files.info('carried')
      const chunk = await manager.streams.getMessage('OBJ_files', {
        last_by_subj: `$O.files.C.${info?.nuid}`,
      })
      assert.equal(chunk?.header.has('traceparent'), false)
      const meta = await manager.streams.getMessage('OBJ_files', {
        last_by_subj: `$O.files.M.${Buffer.from('carried').toString('base64url').padEnd(12, '=')}`,
      })
      assert.match(meta?.header.get('traceparent') ?? '', new RegExp(`-${put.spanId}-`))
    })

    it('a streamed body: the span of put lasts until it is stored, that of get until it has come', async () => {
      const put = await only('put', () =>
        files.put({ name: 'streamed' }, streamOf([threeChunks.subarray(0, 10), threeChunks])),
      )
      assert.equal(put.attributes['nats.objectstore.size'], 300_010)
      world.spans.reset()
      const result = await files.get('streamed')
      assert.ok(result)
      assert.equal(world.spans.ended.length, 0)
      assert.equal(await read(result.data), 300_010)
      assert.equal(await result.error, undefined)
      const get = world.spans.named('objectstore.get files')
      assert.deepEqual([get.linkIds, get.attributes['nats.objectstore.chunks']], [[put.spanId], 3])
    })

    it('a body that is cancelled ends the span, one that fails ends it with its error', async () => {
      await files.putBlob({ name: 'left' }, threeChunks)
      world.spans.reset()
      const result = await files.get('left')
      assert.ok(result)
      await result.data.cancel('enough')
      await result.error
      assert.equal(world.spans.named('objectstore.get files').error, undefined)
      world.spans.reset()
      const failing = files.put({ name: 'failing' }, streamOf([threeChunks, new RangeError('broken')]))
      await assert.rejects(failing, { name: 'RangeError', message: 'broken' })
      const put = world.spans.named('objectstore.put files')
      assert.deepEqual([put.error, put.attributes['error.type']], ['broken', 'RangeError'])
      assert.equal(await files.info('failing'), null)
    })

    it('an object that is empty, absent or deleted', async () => {
      const empty = await only('put', () => files.putBlob({ name: 'empty' }, null))
      assert.equal(empty.attributes['nats.objectstore.size'], 0)
      assert.deepEqual(
        (
          await only('get', async () => {
            const result = await files.get('empty')
            assert.ok(result)
            assert.equal(await read(result.data), 0)
            await result.error
          })
        ).linkIds,
        [empty.spanId],
      )
      const absent = await only('get', async () => assert.equal(await files.get('absent'), null))
      assert.deepEqual(absent.linkIds, [])
      const deleted = await only('delete', () => files.delete('empty'))
      assert.equal(deleted.attributes['nats.objectstore.object'], 'empty')
      await only('get', async () => assert.equal(await files.getBlob('empty'), null))
    })

    it('info, update, list, link, status and watch are one span each', async () => {
      await files.putBlob({ name: 'one' }, Buffer.from('1'))
      let info: ObjectInfo | null = null
      const described = await only('info', async () => {
        info = await files.info('one')
      })
      assert.equal(described.linkIds.length, 1)
      await only('update', () => files.update('one', { description: 'new' }))
      await only('list', async () => assert.ok((await files.list()).some(({ name }) => name === 'one')))
      await only('link', () => files.link('other', info ?? assert.fail()))
      const through = await only('get', async () =>
        assert.deepEqual(Buffer.from((await files.getBlob('other')) ?? '').toString(), '1'),
      )
      assert.equal(through.linkIds.length, 2)
      const second = await new Objm(world.traced).create('second')
      await only('link_store', () => files.linkStore('store', second))
      await only('status', async () => assert.equal((await files.status()).bucket, 'files'))
      await only('watch', async () => {
        const watched = await files.watch()
        await context.with(trace.deleteSpan(context.active()), () =>
          world.untraced.request('$JS.API.STREAM.INFO.OBJ_files'),
        )
        watched.stop()
      })
    })

    it('a watch gives what it gives untraced, and leaves no span open', async () => {
      const watched = await files.watch({ includeHistory: false })
      await files.putBlob({ name: 'seen' }, Buffer.from('x'))
      for await (const entry of watched) {
        assert.equal(entry.name, 'seen')
        assert.equal(activeSpanId(), undefined)
        break
      }
      assert.equal(world.spans.started, world.spans.ended.length)
    })

    it('opening, sealing and removing a store', async () => {
      const made = await new Objm(world.traced).create('brief')
      const opened = await new Objm(world.traced).open('brief')
      assert.equal((await opened.seal()).sealed, true)
      assert.equal(await made.destroy(), true)
      await assert.rejects(new Objm(world.traced).open('brief'), /object store not found/)
      assert.deepEqual(
        world.spans.ended.map((span) => [span.name, span.error]),
        [
          ['objm.create brief', undefined],
          ['objm.open brief', undefined],
          ['objectstore.seal brief', undefined],
          ['objectstore.destroy brief', undefined],
          ['objm.open brief', 'object store not found'],
        ],
      )
    })

    it('is the same store to its user: results, errors and types', async () => {
      const outcomes = []
      for (const connection of [world.untraced, world.traced]) {
        const store = await new Objm(connection).create(`same`)
        const info = await store.putBlob({ name: 'n', metadata: { a: 'b' } }, Buffer.from('body'))
        const result = await store.get('n')
        const errors = []
        for (const refused of [
          () => store.put({ name: '' }, streamOf([])),
          () => store.update('absent', {}),
          () => store.link('n', info),
        ]) {
          errors.push(await refused().then(String, (error: unknown) => String(error)))
        }
        outcomes.push({
          own: [info.name, info.size, info.chunks, info.metadata, info.revision],
          body: Buffer.from((await store.getBlob('n')) ?? '').toString(),
          result: [result?.info.size, result?.data instanceof ReadableStream, await result?.error],
          listed: (await store.list()).map(({ name }) => name),
          deleted: await store.delete('n'),
          type: Object.getPrototypeOf(store).constructor.name,
          errors,
          destroyed: await store.destroy(),
        })
      }
      assert.deepEqual(outcomes[1], outcomes[0])
    })

    it('on an untraced connection by tracedObjm; a second wrapping changes nothing', async () => {
      const manager = new Objm(world.traced)
      assert.equal(tracedObjm(manager), manager)
      assert.equal(tracedObjectStore(files), files)
      const own = tracedObjm(new Objm(world.untraced), {})
      assert.equal(tracedObjm(own), own)
      const store = await own.create('own')
      await store.putBlob({ name: 'x'.repeat(300) }, Buffer.from('x'))
      assert.deepEqual(world.spans.names(), ['objm.create own', 'objectstore.put own'])
      assert.equal(
        world.spans.named('objectstore.put own').attributes['nats.objectstore.object'],
        'x'.repeat(256),
      )
      world.spans.reset()
      const untraced = await new Objm(world.untraced).open('own')
      assert.deepEqual(Buffer.from((await untraced.getBlob('x'.repeat(300))) ?? '').toString(), 'x')
      assert.equal(world.spans.started, 0)
    })
  })
}

function streamOf(parts: readonly (Uint8Array | Error)[]): ReadableStream<Uint8Array> {
  const left = [...parts]
  return new ReadableStream({
    pull(controller) {
      const part = left.shift()
      if (part === undefined) controller.close()
      else if (part instanceof Error) controller.error(part)
      else controller.enqueue(part)
    },
  })
}

async function read(stream: ReadableStream<Uint8Array>): Promise<number> {
  let sizeBytes = 0
  const reader = stream.getReader()
  for (let step = await reader.read(); !step.done; step = await reader.read()) sizeBytes += step.value.length
  return sizeBytes
}
