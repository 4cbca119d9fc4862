import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { LensError } from '../errors.ts'

export type ReadQuery<T> = (connection: DuckDBConnection) => Promise<T>

/**
 * Runs `query` on a connection of its own: reads run beside each other and beside the writer, and the timeout stops only
 * its own query. Rejects with `query_timeout` when it was stopped.
 */
export async function queryWithin<T>(
  instance: DuckDBInstance,
  { query, timeoutMs }: { readonly query: ReadQuery<T>; readonly timeoutMs: number },
): Promise<T> {
  const connection = await instance.connect()
  const endMs = performance.now() + timeoutMs
  // An interrupt between two statements of one query is lost, so it is repeated until the query gives up.
  const timer = setInterval(
    () => {
      if (performance.now() >= endMs) connection.interrupt()
    },
    Math.min(timeoutMs, 100),
  )
  try {
    return await query(connection)
  } catch (cause) {
    if (performance.now() < endMs) throw cause
    throw new LensError('query_timeout', `the query took longer than ${timeoutMs} ms`, { cause })
  } finally {
    clearInterval(timer)
    connection.disconnectSync()
  }
}
