import type { DuckDBConnection, DuckDBListValue, DuckDBValue } from '@duckdb/node-api'
import { limits } from '../limits.ts'
import type { LogRecord, Source, Span } from '../model.ts'
import type { ServiceSummary, StoredTrace, TraceFilter, TraceQuery, TraceSummary } from '../store.ts'
import { attributesFromJson } from './rows.ts'
import { readSpanColumns, spansOf, unknownSource } from './span-reader.ts'
import { isNotSuperseded } from './superseded.ts'

// The casts in this file state the column types of the SELECT beside them, which the driver does not know.

export async function readTrace(
  connection: DuckDBConnection,
  traceId: string,
  { spansMax, attributes }: TraceQuery,
): Promise<StoredTrace | undefined> {
  const where = 'trace_id = $traceId'
  // One more than asked for, to see that there are more.
  const limit = Math.trunc(spansMax) + 1
  const columns = await readSpanColumns(connection, { where, values: { traceId }, limit, attributes })
  const sources = await readSources(connection, traceId)
  const spans = spansOf(columns, sources)
  if (spans.length === 0) return undefined
  const logs = await readLogs(connection, traceId, sources)
  return { spans: spans.slice(0, spansMax), logs, truncated: spans.length > spansMax }
}

export async function readSpan(
  connection: DuckDBConnection,
  { traceId, spanId }: { readonly traceId: string; readonly spanId: string },
): Promise<Span | undefined> {
  const where = 'trace_id = $traceId AND span_id = $spanId'
  const values = { traceId, spanId }
  const columns = await readSpanColumns(connection, { where, values, limit: 1, attributes: true })
  const [span] = spansOf(columns, await readSources(connection, traceId))
  return span
}

async function readSources(
  connection: DuckDBConnection,
  traceId: string,
): Promise<ReadonlyMap<number, Source>> {
  const reader = await connection.runAndReadAll(
    `SELECT id, service, resource, scope_name, scope_version, scope_attributes FROM sources WHERE id IN
       (SELECT source_id FROM spans WHERE trace_id = $traceId UNION SELECT source_id FROM logs WHERE trace_id = $traceId)`,
    { traceId },
  )
  const sources = new Map<number, Source>()
  for (const [id, ...texts] of reader.getRows()) {
    const [service = '', resource = '', scopeName = '', scopeVersion = '', scopeAttributes = ''] =
      texts as readonly string[]
    sources.set(id as number, {
      service,
      resource: attributesFromJson(resource),
      scopeName,
      scopeVersion,
      scopeAttributes: attributesFromJson(scopeAttributes),
    })
  }
  return sources
}

async function readLogs(
  connection: DuckDBConnection,
  traceId: string,
  sources: ReadonlyMap<number, Source>,
): Promise<readonly LogRecord[]> {
  const reader = await connection.runAndReadAll(
    `SELECT span_id, time_ns, severity_number, severity_text, body, attributes, source_id FROM logs
     WHERE trace_id = $traceId ORDER BY time_ns, rowid LIMIT ${limits.logsPerTraceMax}`,
    { traceId },
  )
  return reader.getRows().map(([spanId, time, number, text, body, attributes, sourceId]) => ({
    traceId,
    spanId: spanId as string,
    timeUnixNano: time as bigint,
    severityNumber: number as number,
    severityText: text as string,
    body: JSON.parse(body as string),
    attributes: attributesFromJson(attributes as string | null),
    source: sources.get(sourceId as number) ?? unknownSource,
  }))
}

export async function readTraces(
  connection: DuckDBConnection,
  filter: TraceFilter,
): Promise<readonly TraceSummary[]> {
  const having: string[] = []
  const values: Record<string, DuckDBValue> = {}
  if (filter.service !== undefined) {
    having.push('bool_or(source_id IN (SELECT id FROM sources WHERE service = $service))')
    values['service'] = filter.service
  }
  if (filter.errorsOnly === true) having.push('max(status_code) = 2')
  if (filter.durationMsMin !== undefined) {
    having.push('max(end_ns) - min(start_ns) >= $durationNs')
    values['durationNs'] = BigInt(Math.round(filter.durationMsMin * 1e6))
  }
  if (filter.state !== undefined) {
    having.push('bool_or(state = $state)')
    values['state'] = filter.state
  }
  // Two passes: the first touches few columns and finds the newest traces that match, the second reads only those.
  const reader = await connection.runAndReadAll(
    `WITH newest AS (
       SELECT trace_id FROM spans WHERE ${isNotSuperseded} GROUP BY trace_id ${having.length > 0 ? `HAVING ${having.join(' AND ')}` : ''}
       ORDER BY min(start_ns) DESC, trace_id LIMIT ${Math.trunc(filter.limit)})
     SELECT trace_id,
       first(name ORDER BY parent_span_id IS NOT NULL, start_ns, spans.rowid),
       first(service ORDER BY parent_span_id IS NOT NULL, start_ns, spans.rowid),
       list(DISTINCT service),
       count(DISTINCT span_id),
       count(DISTINCT span_id) FILTER (status_code = 2),
       count(DISTINCT span_id) FILTER (state = 'pending'),
       count(DISTINCT span_id) FILTER (state = 'interrupted'),
       min(start_ns),
       greatest(max(end_ns), max(start_ns))
     FROM spans JOIN sources ON id = source_id
     WHERE trace_id IN (SELECT trace_id FROM newest) AND ${isNotSuperseded}
     GROUP BY trace_id ORDER BY min(start_ns) DESC, trace_id`,
    values,
  )
  return reader
    .getRows()
    .map(([traceId, name, service, services, spans, errors, pending, interrupted, start, end]) => ({
      traceId: traceId as string,
      rootName: name as string,
      rootService: service as string,
      services: ((services as DuckDBListValue).items as string[]).toSorted(),
      spanCount: Number(spans),
      errorCount: Number(errors),
      pendingCount: Number(pending),
      interruptedCount: Number(interrupted),
      startTimeUnixNano: start as bigint,
      durationMs: Number((end as bigint) - (start as bigint)) / 1e6,
    }))
}

export async function readServices(connection: DuckDBConnection): Promise<readonly ServiceSummary[]> {
  const reader = await connection.runAndReadAll(
    `SELECT service, count(DISTINCT trace_id || span_id), count(DISTINCT trace_id || span_id) FILTER (status_code = 2)
     FROM spans JOIN sources ON id = source_id WHERE ${isNotSuperseded} GROUP BY service ORDER BY service`,
  )
  return reader.getRows().map(([name, spans, errors]) => ({
    name: name as string,
    spanCount: Number(spans),
    errorCount: Number(errors),
  }))
}
