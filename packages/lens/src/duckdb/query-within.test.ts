import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { queryWithin } from './query-within.ts'

describe('queryWithin', async () => {
  const instance = await DuckDBInstance.create(':memory:')
  after(() => instance.closeSync())

  it('stops a query that would run for ever, and leaves others alone', async () => {
    const endless = queryWithin(instance, {
      query: (connection) => connection.run('SELECT count(*) FROM range(1000000000000) a, range(1000000) b'),
      timeoutMs: 20,
    })
    // Listened to at once: it may be stopped while the quick one still connects.
    const stopped = assert.rejects(endless, {
      code: 'query_timeout',
      message: 'the query took longer than 20 ms',
    })
    const quick = await queryWithin(instance, {
      query: async (connection) => (await connection.runAndReadAll('SELECT 42')).getRows(),
      timeoutMs: 60_000,
    })
    assert.deepEqual(quick, [[42]])
    await stopped
  })

  it('passes other failures on', async () => {
    const nonsense = queryWithin(instance, {
      query: (connection) => connection.run('nonsense'),
      timeoutMs: 60_000,
    })
    await assert.rejects(nonsense, /syntax error/i)
  })
})
