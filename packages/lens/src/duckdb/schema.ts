import { BIGINT, type DuckDBType, UINTEGER, UTINYINT, VARCHAR } from '@duckdb/node-api'

/** Written into every file. A file with another version is refused, so that no data is read wrongly. */
export const schemaVersion = 2

export interface Column {
  readonly name: string
  readonly type: DuckDBType
  readonly nullable?: boolean
}

const text = (name: string): Column => ({ name, type: VARCHAR })
/** NULL stands for empty text: it costs nothing to write, where a text costs a call into native code. */
const mostlyEmpty = (name: string): Column => ({ name, type: VARCHAR, nullable: true })
const nanos = (name: string): Column => ({ name, type: BIGINT })
const small = (name: string): Column => ({ name, type: UTINYINT })
const count = (name: string): Column => ({ name, type: UINTEGER })

/**
 * Attributes, events and links are JSON text: they are read whole, per span, and DuckDB's JSON functions query them.
 * Ids are hex text rather than 128-bit numbers: a third more bytes, and a file that people can query by hand.
 * A span's service is its source's. There is no primary key: an index over random ids would cost more than all else at ingest. Readers drop duplicates.
 */
export const spanColumns: readonly Column[] = [
  text('trace_id'),
  text('span_id'),
  mostlyEmpty('parent_span_id'),
  mostlyEmpty('trace_state'),
  text('name'),
  nanos('start_ns'),
  nanos('end_ns'),
  small('kind'),
  small('status_code'),
  mostlyEmpty('status_message'),
  mostlyEmpty('attributes'),
  mostlyEmpty('events'),
  mostlyEmpty('links'),
  count('dropped_count'),
  count('source_id'),
  nanos('received_ms'),
  count('size_bytes'),
  // Behind the others, where ALTER TABLE puts them in a file of format 1. NULL: its program ended it.
  mostlyEmpty('state'),
  mostlyEmpty('interruption'),
]

export const logColumns: readonly Column[] = [
  text('trace_id'),
  text('span_id'),
  nanos('time_ns'),
  small('severity_number'),
  text('severity_text'),
  text('body'),
  mostlyEmpty('attributes'),
  count('source_id'),
  nanos('received_ms'),
  count('size_bytes'),
]

export const sourceColumns: readonly Column[] = [
  count('id'),
  text('service'),
  text('resource'),
  text('scope_name'),
  text('scope_version'),
  text('scope_attributes'),
]

const createTable = (name: string, columns: readonly Column[]): string =>
  `CREATE TABLE IF NOT EXISTS ${name} (${columns.map((c) => `${c.name} ${String(c.type)}${c.nullable === true ? '' : ' NOT NULL'}`).join(', ')})`

export const schemaStatements: readonly string[] = [
  'CREATE TABLE IF NOT EXISTS lens_schema (version UINTEGER NOT NULL)',
  `INSERT INTO lens_schema SELECT ${schemaVersion} WHERE NOT EXISTS (SELECT 1 FROM lens_schema)`,
  createTable('spans', spanColumns),
  createTable('logs', logColumns),
  createTable('sources', sourceColumns),
]

/** What makes a file of this format out of an earlier one, by the earlier format. */
export const migrations: Readonly<Record<number, readonly string[]>> = {
  1: ['ALTER TABLE spans ADD COLUMN state VARCHAR', 'ALTER TABLE spans ADD COLUMN interruption VARCHAR'],
}
