import { DuckDBDataChunk, type DuckDBType, type DuckDBValue } from '@duckdb/node-api'
import type { Attributes, LogRecord, Span, SpanEvent, SpanLink } from '../model.ts'

/** DuckDB's vector size: a chunk takes no more rows. */
const chunkRowsMax = 2048

/** Collects rows as the chunks that DuckDB takes; appending value by value costs twice as much. */
export class ChunkBuffer {
  readonly #types: readonly DuckDBType[]
  readonly #chunks: DuckDBDataChunk[] = []
  #columns: DuckDBValue[][]
  #rowCount = 0

  constructor(columns: readonly { readonly type: DuckDBType }[]) {
    this.#types = columns.map((column) => column.type)
    this.#columns = this.#types.map(() => [])
  }

  /** `row` has one value per column, in the order of the columns. */
  add(row: readonly DuckDBValue[]): void {
    for (let i = 0; i < row.length; i++) this.#columns[i]?.push(row[i] ?? null)
    if (++this.#rowCount === chunkRowsMax) this.#finishChunk()
  }

  /** All rows so far. */
  chunks(): readonly DuckDBDataChunk[] {
    if (this.#rowCount > 0) this.#finishChunk()
    return this.#chunks
  }

  #finishChunk(): void {
    const chunk = DuckDBDataChunk.create(this.#types, this.#rowCount)
    chunk.setColumns(this.#columns)
    this.#chunks.push(chunk)
    this.#columns = this.#types.map(() => [])
    this.#rowCount = 0
  }
}

/** What a row costs besides its texts: ids, times, numbers. An estimate; retention by bytes needs no more. */
const rowBytesFixed = 100

export function spanRow(span: Span, sourceId: number, receivedMs: bigint): readonly DuckDBValue[] {
  const attributes = attributesToJson(span.attributes)
  const events = span.events.length === 0 ? '' : eventsToJson(span.events)
  const links = span.links.length === 0 ? '' : JSON.stringify(span.links)
  const sizeBytes =
    rowBytesFixed +
    span.name.length +
    span.statusMessage.length +
    attributes.length +
    events.length +
    links.length
  return [
    span.traceId,
    span.spanId,
    span.parentSpanId || null,
    span.traceState || null,
    span.name,
    span.startTimeUnixNano,
    span.endTimeUnixNano,
    span.kind,
    span.statusCode,
    span.statusMessage || null,
    attributes || null,
    events || null,
    links || null,
    span.droppedCount,
    sourceId,
    receivedMs,
    sizeBytes,
    span.state ?? null,
    span.interruption ?? null,
  ]
}

export function logRow(log: LogRecord, sourceId: number, receivedMs: bigint): readonly DuckDBValue[] {
  const body = JSON.stringify(log.body)
  const attributes = attributesToJson(log.attributes)
  return [
    log.traceId,
    log.spanId,
    log.timeUnixNano,
    log.severityNumber,
    log.severityText,
    body,
    attributes || null,
    sourceId,
    receivedMs,
    rowBytesFixed + body.length + attributes.length,
  ]
}

/** Empty text for no attributes. */
export function attributesToJson(attributes: Attributes | undefined): string {
  if (attributes === undefined) return ''
  for (const _ in attributes) return JSON.stringify(attributes)
  return ''
}

export const attributesFromJson = (json: string | null): Attributes => (json ? JSON.parse(json) : {})

/** JSON has no 64-bit integers, so an event's time is text in the row. */
interface EventRow {
  readonly t: string
  readonly n: string
  readonly a?: Attributes
}

function eventsToJson(events: readonly SpanEvent[]): string {
  const rows = events.map((e): EventRow => ({ t: String(e.timeUnixNano), n: e.name, a: e.attributes }))
  return JSON.stringify(rows)
}

export function eventsFromJson(json: string | null): readonly SpanEvent[] {
  if (!json) return []
  const rows: readonly EventRow[] = JSON.parse(json)
  return rows.map((row) => ({ timeUnixNano: BigInt(row.t), name: row.n, attributes: row.a ?? {} }))
}

export const linksFromJson = (json: string | null): readonly SpanLink[] => (json ? JSON.parse(json) : [])
