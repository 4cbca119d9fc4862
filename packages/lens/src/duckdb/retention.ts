import type { DuckDBConnection } from '@duckdb/node-api'
import type { RetentionLimits, RetentionResult } from '../store.ts'
import { supersededRows } from './superseded.ts'

/** Deletes what does not count any more, then by time of arrival, since a span's own times are the sender's word. Runs inside the caller's transaction. */
export async function deleteOld(
  connection: DuckDBConnection,
  retention: RetentionLimits,
): Promise<RetentionResult> {
  // A span that is told of every few seconds while it runs would else fill the file.
  await connection.run(`DELETE FROM spans WHERE rowid IN (${supersededRows})`)
  const oldestMs = Math.max(
    retention.nowMs - retention.ageMsMax,
    await oldestWithinBytes(connection, retention.bytesMax),
  )
  const values = { oldestMs: BigInt(Math.ceil(oldestMs)) }
  const spans = await connection.run('DELETE FROM spans WHERE received_ms < $oldestMs', values)
  const logs = await connection.run('DELETE FROM logs WHERE received_ms < $oldestMs', values)
  const result = { deletedSpansCount: spans.rowsChanged, deletedLogsCount: logs.rowsChanged }
  if (result.deletedSpansCount + result.deletedLogsCount > 0)
    await connection.run(
      `DELETE FROM sources WHERE id NOT IN
         (SELECT source_id FROM spans UNION SELECT source_id FROM logs)`,
    )
  return result
}

/** The earliest arrival that may stay so that everything from then on fits into `bytesMax`. */
async function oldestWithinBytes(connection: DuckDBConnection, bytesMax: number): Promise<number> {
  const reader = await connection.runAndReadAll(
    `WITH arrivals AS (
       SELECT received_ms, sum(size_bytes) AS size_bytes
       FROM (SELECT received_ms, size_bytes FROM spans UNION ALL SELECT received_ms, size_bytes FROM logs)
       GROUP BY received_ms),
     running AS (
       SELECT received_ms, sum(size_bytes) OVER (ORDER BY received_ms DESC) AS newer_bytes FROM arrivals)
     SELECT coalesce(max(received_ms) FILTER (newer_bytes > $bytesMax), -1) FROM running`,
    { bytesMax: BigInt(bytesMax) },
  )
  return Number(reader.getRows()[0]?.[0] ?? -1) + 1
}
