import { renderTrace, renderTraces, type TraceListEntry, type TraceView } from '@throughline/lens'
import { askLens } from './lens-client.ts'
import { fail, renderOptions } from './output.ts'

export interface TraceFlags {
  readonly url: string
  readonly json: boolean
}

export async function runTrace(id: string, { url, json }: TraceFlags): Promise<void> {
  // Checked here too, so that a slip of the mouse is told even when Lens is not running.
  if (!/^[0-9a-f]{32}$/i.test(id) || /^0+$/.test(id))
    return fail(`"${printable(id)}" is no trace id; allowed: 32 hexadecimal digits, not all zero.`)
  const answer = await askLens<TraceView>(url, `/api/traces/${id.toLowerCase()}?details=${json}`)
  if ('error' in answer) return fail(answer.error)
  const { value } = answer
  process.stdout.write(`${json ? JSON.stringify(value, null, 2) : renderTrace(value, renderOptions())}\n`)
}

const printable = (text: string): string => text.slice(0, 100).replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '?')

export interface TracesFlags extends TraceFlags {
  readonly service?: string
  readonly errors: boolean
  readonly minDurationMs?: string
  readonly limit: string
}

export async function runTraces(flags: TracesFlags): Promise<void> {
  const query = new URLSearchParams({ limit: flags.limit })
  if (flags.service !== undefined) query.set('service', flags.service)
  if (flags.errors) query.set('error', 'true')
  if (flags.minDurationMs !== undefined) query.set('minDurationMs', flags.minDurationMs)
  const answer = await askLens<{ traces: readonly TraceListEntry[] }>(
    flags.url,
    `/api/traces?${query.toString()}`,
  )
  if ('error' in answer) return fail(answer.error)
  const { traces } = answer.value
  process.stdout.write(
    `${flags.json ? JSON.stringify(traces, null, 2) : renderTraces(traces, renderOptions())}\n`,
  )
}
