import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { startTestApi, type TestApi } from '../api/testing/start-api.ts'
import { type AuditEntry, type AuditStore, createAuditStore } from './store.ts'

describe('the audit store', () => {
  let api: TestApi
  let store: AuditStore
  before(async () => {
    api = await startTestApi()
    store = createAuditStore(api.bus)
  })
  after(() => api.close())

  it('is empty at first', async () => {
    assert.deepEqual(await store.all(), { total: 0, entries: [] })
    assert.deepEqual(await store.list({ limit: 20, offset: 0 }), { total: 0, entries: [] })
    assert.equal(await store.get(randomUUID()), undefined)
  })

  it('gives pages, newest first, and every entry by its id', async () => {
    const entries = Array.from({ length: 70 }, (_, i) => entry(i))
    for (const each of entries) await store.write(each)
    const newestFirst = entries.toReversed()
    assert.deepEqual(await store.all(), { total: 70, entries: newestFirst })
    assert.deepEqual(await store.list({ limit: 3, offset: 0 }), {
      total: 70,
      entries: newestFirst.slice(0, 3),
    })
    assert.deepEqual((await store.list({ limit: 3, offset: 2 })).entries, newestFirst.slice(2, 5))
    assert.deepEqual((await store.list({ limit: 100, offset: 68 })).entries, newestFirst.slice(68))
    assert.deepEqual((await store.list({ limit: 1, offset: 69 })).entries, newestFirst.slice(69))
    assert.deepEqual((await store.list({ limit: 1, offset: 70 })).entries, [])
    for (const each of [entries[0], entries[69]]) assert.deepEqual(await store.get(each?.id ?? ''), each)
  })

  it('leaves out what is gone', async () => {
    const { entries } = await store.list({ limit: 3, offset: 0 })
    const { state } = await api.bus.jsm.streams.info(api.bus.names.auditStream)
    await api.bus.jsm.streams.deleteMessage(api.bus.names.auditStream, state.last_seq - 1)
    assert.deepEqual((await store.list({ limit: 3, offset: 0 })).entries, [entries[0], entries[2]])
    assert.equal(await store.get(entries[1]?.id ?? ''), undefined)
  })
})

function entry(index: number): AuditEntry {
  return {
    id: randomUUID(),
    timestamp: new Date(index * 1000).toISOString(),
    user: 'ada',
    roles: ['admin'],
    method: 'GET',
    path: `/api/job/${index}`,
    source_ip: '::1',
    response_code: 200,
    duration_ms: index,
  }
}
