import { type CompactTrace, expandTrace } from '../../src/query/compact-trace.ts'
import type { SpanDetails, TraceListEntry } from '../../src/query/query-engine.ts'
import type { TraceView } from '../../src/query/trace-view.ts'

export type { LogView, SpanView, TraceView } from '../../src/query/trace-view.ts'
export type { SpanDetails, TraceListEntry }

/** An answer other than 200: `message` is what Lens said. */
export class ApiError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

async function get<T>(path: string): Promise<T> {
  const response = await fetch(path)
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok) return body as T
  const { error } = (body ?? {}) as { readonly error?: { readonly message?: string } }
  throw new ApiError(response.status, error?.message ?? `Lens answered ${response.status}`)
}

export interface ListFilter {
  readonly service: string
  readonly errorsOnly: boolean
  readonly minDurationMs: string
}

export async function fetchTraces(filter: ListFilter): Promise<readonly TraceListEntry[]> {
  const query = new URLSearchParams({ limit: '200' })
  if (filter.service !== '') query.set('service', filter.service)
  if (filter.errorsOnly) query.set('error', 'true')
  if (filter.minDurationMs !== '') query.set('minDurationMs', filter.minDurationMs)
  return (await get<{ traces: readonly TraceListEntry[] }>(`/api/traces?${query.toString()}`)).traces
}

export async function fetchServices(): Promise<readonly string[]> {
  const { services } = await get<{ services: readonly { name: string }[] }>('/api/services')
  return services.map((service) => service.name)
}

/** Without attributes: a large trace draws sooner, and one span's attributes come when it is selected. */
export const fetchTrace = async (traceId: string): Promise<TraceView> =>
  expandTrace(await get<CompactTrace>(`/api/traces/${encodeURIComponent(traceId)}?compact=true`))

export const fetchSpanDetails = (traceId: string, spanId: string): Promise<SpanDetails> =>
  get(`/api/traces/${encodeURIComponent(traceId)}/spans/${encodeURIComponent(spanId)}`)
