/**
 * What a nats-server says of one message that it has traced, as far as it is used here; version 2.11 and later.
 * https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-41.md
 */
export interface ServerReport {
  readonly server: {
    readonly name: string
    readonly id: string
    readonly cluster: string
    readonly version: string
  }
  /** Of the message as it came in; names keep their case. */
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly sizeBytes: number
  /** Empty: the server that got the message from its publisher. Else one number for each server before, e.g. `1.2`. */
  readonly hop: string
  /** To how many other servers this one has passed the message on. */
  readonly hops: number
  readonly steps: readonly Step[]
}

/** Why a report is not one. */
export type ReportFault = 'too_large' | 'not_json' | 'not_a_report'

export type StepKind =
  | 'ingress'
  | 'subject_mapping'
  | 'stream_export'
  | 'service_import'
  | 'jetstream'
  | 'egress'

/** One thing that happened to the message in the server. Texts that do not apply are undefined. */
export interface Step {
  readonly kind: StepKind
  readonly timeUnixNano: bigint
  /** Of ingress and egress: what is at the other end. */
  readonly peer?: Peer | undefined
  readonly peerId?: number | undefined
  readonly peerName?: string | undefined
  readonly account?: string | undefined
  readonly subject?: string | undefined
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly hop?: string | undefined
  readonly subscription?: string | undefined
  readonly queue?: string | undefined
  readonly stream?: string | undefined
  readonly noInterest?: boolean | undefined
  readonly error?: string | undefined
}

export type Peer =
  | 'client'
  | 'route'
  | 'gateway'
  | 'system'
  | 'leafnode'
  | 'jetstream'
  | 'account'
  | 'unknown'

const peers: readonly Peer[] = ['client', 'route', 'gateway', 'system', 'leafnode', 'jetstream', 'account']
const stepKinds: ReadonlyMap<unknown, StepKind> = new Map<unknown, StepKind>([
  ['in', 'ingress'],
  ['sm', 'subject_mapping'],
  ['se', 'stream_export'],
  ['si', 'service_import'],
  ['js', 'jetstream'],
  ['eg', 'egress'],
])

/** A server with thousands of subscribers reports each of them. */
const reportBytesMax = 262_144
const stepsMax = 1_000
const headersMax = 100
const textCharsMax = 1_000

/** Whoever may publish on the subject of the reports can write anything: bounded, and never throwing. */
export function parseReport(
  data: Uint8Array,
): { readonly report: ServerReport } | { readonly fault: ReportFault } {
  if (data.length > reportBytesMax) return { fault: 'too_large' }
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(data))
  } catch {
    return { fault: 'not_json' }
  }
  const root = recordOf(value)
  const server = recordOf(root?.['server'])
  const request = recordOf(root?.['request'])
  const events: unknown = root?.['events']
  if (root === undefined || server === undefined || request === undefined || !Array.isArray(events)) {
    return { fault: 'not_a_report' }
  }
  const headers = headersOf(request['header'])
  const report: ServerReport = {
    server: {
      name: textOf(server['name']) ?? '',
      id: textOf(server['id']) ?? '',
      cluster: textOf(server['cluster']) ?? '',
      version: textOf(server['ver']) ?? '',
    },
    headers,
    sizeBytes: numberOf(request['msgsize']) ?? 0,
    hop: valueOf(headers, 'nats-trace-hop') ?? '',
    hops: Math.max(0, numberOf(root['hops']) ?? 0),
    steps: (events as unknown[]).slice(0, stepsMax).flatMap(stepOf),
  }
  return report.steps[0]?.kind === 'ingress' ? { report } : { fault: 'not_a_report' }
}

/** The first value of a header, in any case. */
export function valueOf(headers: ServerReport['headers'], lowerCaseName: string): string | undefined {
  for (const [name, values] of headers) if (name.toLowerCase() === lowerCaseName) return values[0]
  return undefined
}

function headersOf(value: unknown): Map<string, readonly string[]> {
  const entries = Object.entries(recordOf(value) ?? {}).slice(0, headersMax)
  return new Map(
    entries.map(([name, values]) => {
      const texts = Array.isArray(values)
        ? values.filter((one): one is string => typeof one === 'string')
        : []
      return [name, texts]
    }),
  )
}

function stepOf(value: unknown): Step[] {
  const event = recordOf(value)
  const kind = stepKinds.get(event?.['type'])
  const timeUnixNano = nanosOf(event?.['ts'])
  if (event === undefined || kind === undefined || timeUnixNano === undefined) return []
  const isConnection = kind === 'ingress' || kind === 'egress'
  return [
    {
      kind,
      timeUnixNano,
      ...(isConnection ? { peer: peers[numberOf(event['kind']) ?? -1] ?? 'unknown' } : undefined),
      peerId: numberOf(event['cid']),
      peerName: textOf(event['name']),
      account: textOf(event['acc']),
      subject: textOf(event['subj']) ?? textOf(event['subject']),
      from: textOf(event['from']),
      to: textOf(event['to']),
      hop: textOf(event['hop']),
      subscription: textOf(event['sub']),
      queue: textOf(event['queue']),
      stream: textOf(event['stream']),
      noInterest: event['nointerest'] === true ? true : undefined,
      error: textOf(event['error']),
    },
  ]
}

function recordOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, textCharsMax) : undefined
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}

const rfc3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/

function nanosOf(value: unknown): bigint | undefined {
  const match = typeof value === 'string' ? rfc3339.exec(value) : null
  if (match === null) return undefined
  const [, seconds = '', fraction = '', zone = ''] = match
  const ms = Date.parse(`${seconds}${zone}`)
  return Number.isNaN(ms) || ms < 0 ? undefined : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

/** Message tracing begins with nats-server 2.11. */
export function supportsTracing(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 2 || (major === 2 && minor >= 11)
}
