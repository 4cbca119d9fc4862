import type { JobOutcome, JobResponse } from '../job/model.ts'
import type { ResultItem } from '../job/results.ts'
import type { JsonSchema } from './schemas/schema.ts'

export interface RowShape {
  /** The schema of a row: fields of the data that it does not name are not for clients. */
  readonly schema: JsonSchema
  /** A question whose answer is the hostname itself shows that one, not the name the worker goes by. */
  readonly isHostnameFromData?: boolean
}

/** The API's answer to what the workers said. */
export function toResults(outcome: JobOutcome, shape: RowShape): { job_id: string; results: ResultItem[] } {
  return { job_id: outcome.job_id, results: outcome.responses.map((response) => toRow(response, shape)) }
}

function toRow(response: JobResponse, { schema, isHostnameFromData }: RowShape): ResultItem {
  const { changed: _, ...fields } = namedBy(schema, response.data)
  const reported = fields['hostname']
  return {
    ...fields,
    hostname: isHostnameFromData && typeof reported === 'string' ? reported : response.hostname,
    status: response.status === 'completed' ? 'ok' : response.status,
    ...(response.changed !== undefined && { changed: response.changed }),
    ...(response.error !== undefined && { error: response.error }),
  }
}

/** The fields of a value that the schema names: entries of other releases may have more. */
export function namedBy(schema: JsonSchema, value: unknown): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  if (!isRecord(value)) return fields
  for (const name of Object.keys(schema['properties'] ?? {})) {
    if (value[name] !== undefined && value[name] !== null) fields[name] = value[name]
  }
  return fields
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
