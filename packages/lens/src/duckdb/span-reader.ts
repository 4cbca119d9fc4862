import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api'
import type { Source, Span, SpanKind, SpanState, StatusCode } from '../model.ts'
import { attributesFromJson, eventsFromJson, linksFromJson } from './rows.ts'
import { rowOrder } from './superseded.ts'

// The casts in this file state what the SELECT beside them gives, which the driver does not know.

export interface SpanSelection {
  /** A condition on the columns of `spans`, with `values` for its parameters. */
  readonly where: string
  readonly values: Readonly<Record<string, DuckDBValue>>
  readonly limit: number
  readonly attributes: boolean
}

/** Spans by start time, as the database gives them: one array per selected field. */
export interface SpanColumns {
  readonly columns: readonly (readonly unknown[])[]
  readonly rare: ReadonlyMap<string, Rare>
  readonly attributes: boolean
}

/**
 * Reads spans. The driver hands values over one by one, which is most of the cost of a large trace, so each column
 * comes as one text of JSON, and what few spans have comes by itself, for these spans.
 */
export async function readSpanColumns(
  connection: DuckDBConnection,
  selection: SpanSelection,
): Promise<SpanColumns> {
  const { values, attributes } = selection
  const fields = attributes ? [...commonFields, 'attributes'] : commonFields
  const common = await connection.runAndReadAll(
    `SELECT ${fields.map((field) => `to_json(list(${field}))`).join(', ')} FROM (${selectSpans(selection)})`,
    { ...values },
  )
  const [row = []] = common.getRows()
  // The list of no rows is NULL.
  const columns = row.map((json) => (json === null ? [] : (JSON.parse(json as string) as readonly unknown[])))
  return { columns, rare: await readRare(connection, selection), attributes }
}

/** `sources` MUST have been read after the columns, so that it has those of all spans. */
export const spansOf = (from: SpanColumns, sources: ReadonlyMap<number, Source>): readonly Span[] =>
  (from.columns[0] ?? []).map((_, index) => toSpan(from, { sources, index }))

const commonFields: readonly string[] = [
  'trace_id',
  'span_id',
  'parent_span_id',
  'name',
  // JSON's numbers are doubles, which have no room for nanoseconds.
  'start_ns::VARCHAR',
  'end_ns::VARCHAR',
  'kind',
  'status_code',
  'source_id',
]

const selectSpans = ({ where, limit }: SpanSelection): string =>
  `SELECT * FROM spans WHERE ${where}
   QUALIFY row_number() OVER (PARTITION BY span_id ORDER BY ${rowOrder}) = 1
   ORDER BY start_ns, span_id LIMIT ${Math.trunc(limit)}`

type Rare = Pick<
  Span,
  'traceState' | 'statusMessage' | 'events' | 'links' | 'droppedCount' | 'state' | 'interruption'
>

const noneRare: Rare = { traceState: '', statusMessage: '', events: [], links: [], droppedCount: 0 }

async function readRare(
  connection: DuckDBConnection,
  selection: SpanSelection,
): Promise<ReadonlyMap<string, Rare>> {
  const reader = await connection.runAndReadAll(
    `SELECT span_id, trace_state, status_message, events, links, dropped_count, state, interruption FROM (${selectSpans(selection)})
     WHERE trace_state IS NOT NULL OR status_message IS NOT NULL OR events IS NOT NULL OR links IS NOT NULL
       OR dropped_count > 0 OR state IS NOT NULL`,
    { ...selection.values },
  )
  return new Map(
    reader
      .getRows()
      .map(([spanId, traceState, statusMessage, events, links, droppedCount, state, interruption]) => [
        spanId as string,
        {
          traceState: (traceState as string | null) ?? '',
          statusMessage: (statusMessage as string | null) ?? '',
          events: eventsFromJson(events as string | null),
          links: linksFromJson(links as string | null),
          droppedCount: droppedCount as number,
          ...(state !== null && { state: state as SpanState }),
          ...(interruption !== null && { interruption: interruption as string }),
        },
      ]),
  )
}

type Draft<T> = { -readonly [K in keyof T]: T[K] }

/** Field by field: with spread, a large trace takes several times as long. */
function toSpan(
  { columns, rare, attributes }: SpanColumns,
  { sources, index }: { readonly sources: ReadonlyMap<number, Source>; readonly index: number },
): Span {
  const spanId = columns[1]?.[index] as string
  const unusual = rare.get(spanId) ?? noneRare
  const { traceState, statusMessage, events, links, droppedCount } = unusual
  const span: Draft<Span> = {
    traceId: columns[0]?.[index] as string,
    spanId,
    parentSpanId: (columns[2]?.[index] as string | null) ?? '',
    traceState,
    name: columns[3]?.[index] as string,
    startTimeUnixNano: BigInt(columns[4]?.[index] as string),
    endTimeUnixNano: BigInt(columns[5]?.[index] as string),
    kind: columns[6]?.[index] as SpanKind,
    statusCode: columns[7]?.[index] as StatusCode,
    statusMessage,
    events,
    links,
    droppedCount,
    source: sources.get(columns[8]?.[index] as number) ?? unknownSource,
  }
  if (unusual.state !== undefined) span.state = unusual.state
  if (unusual.interruption !== undefined) span.interruption = unusual.interruption
  if (attributes) span.attributes = attributesFromJson(columns[9]?.[index] as string | null)
  return span
}

export const unknownSource: Source = {
  service: 'unknown_service',
  resource: {},
  scopeName: '',
  scopeVersion: '',
  scopeAttributes: {},
}
