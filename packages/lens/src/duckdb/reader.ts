import type { DuckDBConnection, DuckDBListValue, DuckDBValue } from '@duckdb/node-api'
import { limits } from '../limits.ts'
import type { LogRecord, Source, Span, SpanKind, StatusCode } from '../model.ts'
import type { ServiceSummary, StoredTrace, TraceFilter, TraceQuery, TraceSummary } from '../store.ts'
import { attributesFromJson, eventsFromJson, linksFromJson } from './rows.ts'

// The casts in this file state the column types of the SELECT beside them, which the driver does not know.

const spanFields =
  'span_id, parent_span_id, trace_state, name, start_ns, end_ns, kind, status_code, status_message, events, links, dropped_count, source_id'

export async function readTrace(
  connection: DuckDBConnection,
  traceId: string,
  query: TraceQuery,
): Promise<StoredTrace | undefined> {
  // The first arrival of a span is the one that counts. LIMIT is one more than asked for, to see that there are more.
  const reader = await connection.runAndReadAll(
    `SELECT ${spanFields}${query.attributes ? ', attributes' : ''} FROM spans WHERE trace_id = $traceId
     QUALIFY row_number() OVER (PARTITION BY span_id ORDER BY rowid) = 1
     ORDER BY start_ns, span_id LIMIT ${Math.trunc(query.spansMax) + 1}`,
    { traceId },
  )
  const columns = reader.getColumns()
  const rowCount = columns[0]?.length ?? 0
  if (rowCount === 0) return undefined
  const sources = await readSources(connection, traceId)
  const spans: Span[] = []
  for (let row = 0; row < Math.min(rowCount, query.spansMax); row++)
    spans.push(toSpan({ traceId, sources, columns, row }))
  return { spans, logs: await readLogs(connection, traceId, sources), truncated: rowCount > query.spansMax }
}

export async function readSpan(
  connection: DuckDBConnection,
  ids: { readonly traceId: string; readonly spanId: string },
): Promise<Span | undefined> {
  const reader = await connection.runAndReadAll(
    `SELECT ${spanFields}, attributes FROM spans WHERE trace_id = $traceId AND span_id = $spanId ORDER BY rowid LIMIT 1`,
    { ...ids },
  )
  const columns = reader.getColumns()
  if (columns[0]?.length !== 1) return undefined
  const sources = await readSources(connection, ids.traceId)
  return toSpan({ traceId: ids.traceId, sources, columns, row: 0 })
}

type Draft<T> = { -readonly [K in keyof T]: T[K] }

/** Reads `spanFields` by their order, straight from the columns: a large trace is read without an array per row. */
function toSpan(from: {
  readonly traceId: string
  readonly sources: ReadonlyMap<number, Source>
  readonly columns: readonly (readonly DuckDBValue[])[]
  readonly row: number
}): Span {
  const { columns, row } = from
  const attributes = columns[13]?.[row] as string | null | undefined
  const span: Draft<Span> = {
    traceId: from.traceId,
    spanId: columns[0]?.[row] as string,
    parentSpanId: (columns[1]?.[row] as string | null) ?? '',
    traceState: (columns[2]?.[row] as string | null) ?? '',
    name: columns[3]?.[row] as string,
    startTimeUnixNano: columns[4]?.[row] as bigint,
    endTimeUnixNano: columns[5]?.[row] as bigint,
    kind: columns[6]?.[row] as SpanKind,
    statusCode: columns[7]?.[row] as StatusCode,
    statusMessage: (columns[8]?.[row] as string | null) ?? '',
    events: eventsFromJson(columns[9]?.[row] as string | null),
    links: linksFromJson(columns[10]?.[row] as string | null),
    droppedCount: columns[11]?.[row] as number,
    source: from.sources.get(columns[12]?.[row] as number) ?? unknownSource,
  }
  if (attributes !== undefined) span.attributes = attributesFromJson(attributes)
  return span
}

const unknownSource: Source = {
  service: 'unknown_service',
  resource: {},
  scopeName: '',
  scopeVersion: '',
  scopeAttributes: {},
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
  // Two passes: the first touches few columns and finds the newest traces that match, the second reads only those.
  const reader = await connection.runAndReadAll(
    `WITH newest AS (
       SELECT trace_id FROM spans GROUP BY trace_id ${having.length > 0 ? `HAVING ${having.join(' AND ')}` : ''}
       ORDER BY min(start_ns) DESC, trace_id LIMIT ${Math.trunc(filter.limit)})
     SELECT trace_id,
       first(name ORDER BY parent_span_id IS NOT NULL, start_ns, spans.rowid),
       first(service ORDER BY parent_span_id IS NOT NULL, start_ns, spans.rowid),
       list(DISTINCT service),
       count(DISTINCT span_id),
       count(DISTINCT span_id) FILTER (status_code = 2),
       min(start_ns),
       greatest(max(end_ns), max(start_ns))
     FROM spans JOIN sources ON id = source_id WHERE trace_id IN (SELECT trace_id FROM newest)
     GROUP BY trace_id ORDER BY min(start_ns) DESC, trace_id`,
    values,
  )
  return reader.getRows().map(([traceId, name, service, services, spans, errors, start, end]) => ({
    traceId: traceId as string,
    rootName: name as string,
    rootService: service as string,
    services: ((services as DuckDBListValue).items as string[]).toSorted(),
    spanCount: Number(spans),
    errorCount: Number(errors),
    startTimeUnixNano: start as bigint,
    durationMs: Number((end as bigint) - (start as bigint)) / 1e6,
  }))
}

export async function readServices(connection: DuckDBConnection): Promise<readonly ServiceSummary[]> {
  const reader = await connection.runAndReadAll(
    `SELECT service, count(DISTINCT trace_id || span_id), count(DISTINCT trace_id || span_id) FILTER (status_code = 2)
     FROM spans JOIN sources ON id = source_id GROUP BY service ORDER BY service`,
  )
  return reader.getRows().map(([name, spans, errors]) => ({
    name: name as string,
    spanCount: Number(spans),
    errorCount: Number(errors),
  }))
}
