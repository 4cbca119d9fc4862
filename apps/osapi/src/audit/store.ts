import type { Bus } from '../job/bus.ts'

/** Who did what: one entry per authenticated request. Field names are those of the API's answers. */
export interface AuditEntry {
  readonly id: string
  readonly timestamp: string
  readonly user: string
  readonly roles: readonly string[]
  readonly method: string
  readonly path: string
  readonly operation_id?: string
  readonly source_ip: string
  readonly response_code: number
  readonly duration_ms: number
  readonly trace_id?: string
}

export interface AuditPage {
  readonly total: number
  readonly entries: readonly AuditEntry[]
}

export interface AuditStore {
  write(entry: AuditEntry): Promise<void>
  /** Newest first. */
  list(page: { readonly limit: number; readonly offset: number }): Promise<AuditPage>
  /** Everything that is kept, newest first. */
  all(): Promise<AuditPage>
  get(id: string): Promise<AuditEntry | undefined>
}

const readsAtOnceMax = 64
const noMessageFound = 10_037

/** Keeps entries in the audit stream, each under `<subject>.<id>`; the stream's own limits end their lives. */
export function createAuditStore({ js, jsm, names }: Pick<Bus, 'js' | 'jsm' | 'names'>): AuditStore {
  const stream = names.auditStream
  const read = async (query: { seq: number } | { last_by_subj: string }): Promise<AuditEntry | undefined> => {
    try {
      const message = await jsm.streams.getMessage(stream, query)
      return message ? message.json<AuditEntry>() : undefined
    } catch (error) {
      if (isGone(error)) return undefined
      throw error
    }
  }
  const readDown = async (from: number, to: number): Promise<AuditEntry[]> => {
    const entries: AuditEntry[] = []
    for (let top = from; top >= to; top -= readsAtOnceMax) {
      const count = Math.min(readsAtOnceMax, top - to + 1)
      const batch = await Promise.all(Array.from({ length: count }, (_, i) => read({ seq: top - i })))
      entries.push(...batch.filter((entry) => entry !== undefined))
    }
    return entries
  }
  const page = async (limit: number, offset: number): Promise<AuditPage> => {
    const { state } = await jsm.streams.info(stream)
    if (state.messages === 0) return { total: 0, entries: [] }
    const from = state.last_seq - offset
    const to = Math.max(state.first_seq, from - limit + 1)
    return { total: state.messages, entries: await readDown(from, to) }
  }
  return {
    write: async (entry) =>
      void (await js.publish(`${names.auditSubject}.${entry.id}`, JSON.stringify(entry))),
    list: ({ limit, offset }) => page(limit, offset),
    all: () => page(Number.MAX_SAFE_INTEGER, 0),
    get: (id) => read({ last_by_subj: `${names.auditSubject}.${id}` }),
  }
}

function isGone(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? error.code : undefined
  return code === noMessageFound || /no message found/iu.test(error.message)
}
