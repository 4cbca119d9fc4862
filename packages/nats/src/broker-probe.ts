import {
  createInbox,
  headers,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Payload,
} from '@nats-io/nats-core'
import {
  type Peer,
  parseReport,
  type ServerReport,
  type Step,
  supportsTracing,
  valueOf,
} from './broker-events.ts'
import { tracingOf } from './connections.ts'

export interface ProbeOptions {
  /** Some mappings and permissions look at headers; the probe adds its own to these. */
  readonly headers?: MsgHdrs
  readonly payload?: Payload
  /** How long to wait for servers that should report and do not. Default: 1,000. */
  readonly waitMs?: number
}

/** Somebody who would get the message. */
export interface ProbeReceiver {
  readonly kind: 'client' | 'stream'
  /** Of the server that would deliver it. */
  readonly server: string
  readonly account: string | undefined
  /** Name of the client or stream; undefined: the client has none. */
  readonly name: string | undefined
  readonly subscription: string | undefined
  readonly queue: string | undefined
  /** Whether it would see the publisher's trace context. */
  readonly contextSurvives: boolean
}

/** Somebody who matched and would not get it, or a way that cannot be seen to its end. */
export interface ProbeObstacle {
  readonly server: string
  readonly kind: Peer | 'stream' | 'publisher'
  readonly name: string | undefined
  readonly reason: string
}

export type ProbeResult =
  | {
      readonly answered: true
      readonly receivers: readonly ProbeReceiver[]
      readonly obstacles: readonly ProbeObstacle[]
      /** The servers that the message passed, as they are called, in the order of their hops. */
      readonly servers: readonly string[]
    }
  | {
      readonly answered: false
      /** `unsupported_server`: nothing was sent, since a server before 2.11 would deliver the probe. */
      readonly reason: 'unsupported_server' | 'no_answer'
      readonly text: string
    }

// The servers compare names and values of these with letters as they are.
const traceDest = 'Nats-Trace-Dest'
const traceOnly = 'Nats-Trace-Only'
/** Sampled: the servers' own tracing must see what real messages carry. It is nobody's trace. */
const probeTraceparent = '00-7468726f7567686c696e6570726f6265-70726f62652e2e2e-01'

/**
 * Asks the servers who would get a message published on `subject` now, and whether its trace context would reach them.
 * Nothing is delivered. Needs nats-server 2.11 or later; servers before it in a cluster get nothing and are told as
 * obstacles. Rejects only if the connection is closed.
 */
export async function probeSubject(
  connection: NatsConnection,
  subject: string,
  options: ProbeOptions = {},
): Promise<ProbeResult> {
  const untraced = tracingOf(connection)?.connection ?? connection
  const version = untraced.info?.version ?? ''
  if (!supportsTracing(version) || untraced.info?.headers !== true) {
    const text = `the server is nats-server ${version}; message tracing begins with 2.11`
    return { answered: false, reason: 'unsupported_server', text }
  }
  const inbox = createInbox(inboxPrefixOf(untraced))
  const reports = new Reports()
  const subscription = untraced.subscribe(inbox, {
    callback: (error, message) => reports.receive(error, message),
  })
  const sent = copyOf(options.headers)
  sent.set(traceDest, inbox)
  sent.set(traceOnly, 'true')
  sent.set('traceparent', probeTraceparent)
  untraced.publish(subject, options.payload, { headers: sent })
  try {
    await untraced.flush()
    await reports.complete(options.waitMs ?? 1_000)
  } finally {
    subscription.unsubscribe()
  }
  return reports.result()
}

function inboxPrefixOf(connection: NatsConnection): string | undefined {
  return (connection as { options?: { inboxPrefix?: string } }).options?.inboxPrefix
}

function copyOf(source: MsgHdrs | undefined): MsgHdrs {
  const copy = headers()
  for (const [name, values] of source ?? []) for (const value of values) copy.append(name, value)
  return copy
}

const reportsMax = 1_000

class Reports {
  readonly #byHop = new Map<string, ServerReport>()
  #done: (() => void) | undefined

  receive(error: Error | null, message: Msg): void {
    if (error !== null || this.#byHop.size >= reportsMax) return
    const parsed = parseReport(message.data)
    if ('fault' in parsed) return
    this.#byHop.set(parsed.report.hop, parsed.report)
    if (this.#missing().length === 0) this.#done?.()
  }

  /** Resolves when every server that was passed the message has reported, or when the time is over. */
  async complete(waitMs: number): Promise<void> {
    if (this.#byHop.has('') && this.#missing().length === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs).unref()
      this.#done = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Hops to which a server has passed the message on, and of which nothing came; the first one counts too. */
  #missing(): readonly Step[] {
    const passedOn = [...this.#byHop.values()].flatMap(({ steps }) =>
      steps.filter(({ kind, hop, error }) => kind === 'egress' && hop !== undefined && error === undefined),
    )
    const missing = passedOn.filter(({ hop }) => !this.#byHop.has(hop ?? ''))
    return this.#byHop.has('') ? missing : [{ kind: 'ingress', timeUnixNano: 0n }, ...missing]
  }

  result(): ProbeResult {
    const reports = [...this.#byHop.values()].toSorted((a, b) =>
      a.hop.localeCompare(b.hop, 'en', { numeric: true }),
    )
    if (!this.#byHop.has('')) {
      const text = 'no server reported: it may not be allowed to publish to the inbox, or to this subject'
      return { answered: false, reason: 'no_answer', text }
    }
    const unseen = new Set(this.#missing())
    return {
      answered: true,
      servers: reports.map(({ server }) => server.name),
      receivers: reports.flatMap(receiversOf),
      obstacles: reports.flatMap((report) => obstaclesOf(report, unseen)),
    }
  }
}

function receiversOf(report: ServerReport): ProbeReceiver[] {
  const [ingress] = report.steps
  const contextSurvives = valueOf(report.headers, 'traceparent') === probeTraceparent
  return report.steps.flatMap((step): ProbeReceiver[] => {
    const kind = receiverKind(step)
    if (kind === undefined || step.error !== undefined || step.noInterest === true) return []
    return [
      {
        kind,
        server: report.server.name,
        account: step.account ?? ingress?.account,
        name: kind === 'stream' ? step.stream : step.peerName,
        subscription: step.subscription,
        queue: step.queue,
        contextSurvives,
      },
    ]
  })
}

function receiverKind(step: Step): ProbeReceiver['kind'] | undefined {
  if (step.kind === 'jetstream') return 'stream'
  return step.kind === 'egress' && step.peer === 'client' ? 'client' : undefined
}

function obstaclesOf({ server, steps }: ServerReport, unseen: ReadonlySet<Step>): ProbeObstacle[] {
  return steps.flatMap((step): ProbeObstacle[] => {
    const reason = reasonOf(step, unseen)
    if (reason === undefined) return []
    return [{ server: server.name, kind: obstacleKind(step), name: step.stream ?? step.peerName, reason }]
  })
}

function reasonOf(step: Step, unseen: ReadonlySet<Step>): string | undefined {
  if (unseen.has(step)) return 'passed on, but nothing came back: that server or its account does not trace'
  return step.error ?? (step.noInterest === true ? 'the stream keeps only what somebody wants' : undefined)
}

function obstacleKind({ kind, peer = 'unknown' }: Step): ProbeObstacle['kind'] {
  if (kind === 'ingress') return 'publisher'
  return kind === 'jetstream' ? 'stream' : peer
}
