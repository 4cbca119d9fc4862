import { operation, pageLimit, pageOffset, target, targetWithDefault, timelineEvent } from './common.ts'
import {
  anything,
  boolean,
  count,
  input,
  type JsonSchema,
  list,
  mapOf,
  object,
  oneOf,
  string,
  time,
  uuid,
} from './schema.ts'

const counts: JsonSchema = mapOf(count)

export const jobBody: JsonSchema = input({ operation, target_hostname: targetWithDefault })

export const retryBody: JsonSchema = {
  ...input({ 'target_hostname?': target }),
  type: ['object', 'null'],
}

export const jobCreated: JsonSchema = object({
  job_id: uuid,
  status: oneOf('created', 'unprocessed'),
  revision: count,
  timestamp: time,
})

export const jobDetail: JsonSchema = object({
  id: string,
  status: string,
  created: string,
  operation,
  'target?': string,
  'result?': anything,
  'changed?': boolean,
  'error?': string,
  'hostname?': string,
  'updated_at?': string,
  'responses?': mapOf(
    object({ status: string, hostname: string, 'data?': anything, 'changed?': boolean, 'error?': string }),
  ),
  'agent_states?': mapOf(object({ status: string, 'error?': string, 'duration?': string })),
  timeline: list(timelineEvent),
})

export const jobList: JsonSchema = object({
  total_items: count,
  status_counts: counts,
  items: list(jobDetail),
})

export const jobStatus: JsonSchema = object({
  total_jobs: count,
  status_counts: counts,
  operation_counts: counts,
  dlq_count: count,
})

export const jobQuery: JsonSchema = input({
  'status?': oneOf(
    'submitted',
    'unprocessed',
    'processing',
    'completed',
    'failed',
    'skipped',
    'partial_failure',
  ),
  'limit?': pageLimit(10),
  'offset?': pageOffset,
})
