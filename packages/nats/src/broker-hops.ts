import type { Msg, NatsConnection } from '@nats-io/nats-core'
import {
  type Attributes,
  type Context,
  type HrTime,
  ROOT_CONTEXT,
  type Span,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { broker } from './broker-attributes.ts'
import { parseReport, type ServerReport, type Step, valueOf } from './broker-events.ts'
import { spanContextOf } from './carrier.ts'
import { tracingOf } from './connections.ts'
import type { NatsTracingOptions } from './options.ts'
import { NatsTracing } from './tracing.ts'

export interface BrokerHopsOptions
  extends Pick<NatsTracingOptions, 'tracerProvider' | 'propagator' | 'destinationTemplate'> {
  /** Where the servers publish what they trace: `msg_trace { dest: ... }` of the account, or `Nats-Trace-Dest`. */
  readonly subject: string
  /**
   * How long the report of a server waits for the one of the server before it, whose span is its parent; without it the
   * publisher's is. Default: 1,000.
   */
  readonly waitMs?: number
}

/** The subscription that makes spans of servers' reports. */
export interface BrokerHops {
  /** How many reports came, and what became of them. `waiting` ones are in no other count. */
  counts(): BrokerHopCounts
  /** Ends the subscription; reports that wait become spans at once. */
  stop(): void
}

export interface BrokerHopCounts {
  readonly received: number
  /** Became a span. */
  readonly spans: number
  readonly waiting: number
  /** Of messages without a valid trace context, whose trace nobody knows. */
  readonly withoutContext: number
  /** No report at all, or larger than 256 KiB. */
  readonly malformed: number
}

/**
 * Turns the message-tracing events of nats-server 2.11 and later into spans of the messages' own traces: one for each
 * server that a message passed, child of the one before and at last of the publisher's, with an event for each step.
 * Subscribes on `connection`, whose account must be the one that the servers publish to; one process for each account is
 * enough. Never throws after the subscription is made.
 */
export function traceBrokerHops(connection: NatsConnection, options: BrokerHopsOptions): BrokerHops {
  const known = tracingOf(connection)
  // Reports are nobody's messages: on the traced connection each would be a trace of its own.
  const untraced = known?.connection ?? connection
  const hops = new HopSpans(
    new NatsTracing({ ...known?.options, ...options }, untraced),
    options.waitMs ?? 1_000,
  )
  const subscription = untraced.subscribe(options.subject, {
    callback: (error, message) => {
      if (error === null) hops.receive(message)
    },
  })
  return {
    counts: () => hops.counts(),
    stop() {
      subscription.unsubscribe()
      hops.stop()
    },
  }
}

/** Servers whose spans may still get children. */
const parentsMax = 10_000
const waitingMax = 256

class HopSpans {
  readonly #tracing: NatsTracing
  readonly #waitMs: number
  /** The context of the span of each server that a message passed, by message and hop. */
  readonly #parents = new Map<string, Context>()
  /** Reports whose server before is not known yet, by message and that server's hop; oldest first. */
  readonly #waiting = new Map<string, Waiting[]>()
  #waitingCount = 0
  #received = 0
  #spans = 0
  #withoutContext = 0
  #malformed = 0
  #timer: NodeJS.Timeout | undefined

  constructor(tracing: NatsTracing, waitMs: number) {
    this.#tracing = tracing
    this.#waitMs = waitMs
  }

  counts(): BrokerHopCounts {
    return {
      received: this.#received,
      spans: this.#spans,
      waiting: this.#waitingCount,
      withoutContext: this.#withoutContext,
      malformed: this.#malformed,
    }
  }

  receive(message: Pick<Msg, 'data'>): void {
    this.#received++
    const parsed = parseReport(message.data)
    if ('fault' in parsed) {
      this.#malformed++
      return
    }
    const { report } = parsed
    const publisher = this.#tracing.propagator.extract(ROOT_CONTEXT, report.headers, reportGetter)
    const spanContext = spanContextOf(publisher)
    if (spanContext === undefined) {
      this.#withoutContext++
      return
    }
    const messageKey = `${spanContext.traceId}-${spanContext.spanId}`
    const waiting = { report, publisher, messageKey }
    if (report.hop === '') this.#emit(waiting, publisher)
    else this.#emitOrWait(waiting)
  }

  stop(): void {
    clearTimeout(this.#timer)
    for (const key of this.#waiting.keys()) this.#release(key, undefined)
  }

  #emitOrWait(waiting: Waiting): void {
    const key = `${waiting.messageKey} ${hopBefore(waiting.report.hop)}`
    const parent = this.#parents.get(key)
    if (parent !== undefined) {
      this.#emit(waiting, parent)
      return
    }
    const others = this.#waiting.get(key)
    if (others === undefined) this.#waiting.set(key, [waiting])
    else others.push(waiting)
    this.#waitingCount++
    if (this.#waitingCount > waitingMax) this.#releaseOldest()
    if (this.#timer === undefined && this.#waiting.size > 0) this.#startTimer()
  }

  /** One timer for all: at its end everybody has waited at least as long, and at most twice. */
  #startTimer(): void {
    const due = [...this.#waiting.keys()]
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      for (const key of due) this.#release(key, undefined)
      if (this.#waiting.size > 0) this.#startTimer()
    }, this.#waitMs)
    this.#timer.unref()
  }

  #releaseOldest(): void {
    const [oldest] = this.#waiting.keys()
    if (oldest !== undefined) this.#release(oldest, undefined)
  }

  #release(key: string, parent: Context | undefined): void {
    const released = this.#waiting.get(key)
    if (released === undefined) return
    this.#waiting.delete(key)
    this.#waitingCount -= released.length
    for (const waiting of released) this.#emit(waiting, parent ?? waiting.publisher)
  }

  #emit({ report, messageKey }: Waiting, parent: Context): void {
    const span = startServerSpan(this.#tracing, report, parent)
    this.#spans++
    const key = `${messageKey} ${report.hop}`
    const within = trace.setSpan(parent, span)
    if (this.#parents.size >= parentsMax) {
      const [oldest] = this.#parents.keys()
      if (oldest !== undefined) this.#parents.delete(oldest)
    }
    this.#parents.set(key, within)
    this.#release(key, within)
  }
}

interface Waiting {
  readonly report: ServerReport
  readonly publisher: Context
  readonly messageKey: string
}

/** `1.2.3` came from the server of `1.2`, and `1` from the first one. */
function hopBefore(hop: string): string {
  return hop.slice(0, Math.max(0, hop.lastIndexOf('.')))
}

const reportGetter = {
  keys: (headers: ServerReport['headers']) => [...headers.keys()],
  get: (headers: ServerReport['headers'], key: string) => valueOf(headers, key.toLowerCase()),
}

/** The whole span of one server: what it reports is over. */
function startServerSpan(tracing: NatsTracing, report: ServerReport, parent: Context): Span {
  const [ingress] = report.steps
  const times = report.steps.map((step) => step.timeUnixNano)
  const startTime = hrTimeOf(ingress?.timeUnixNano ?? 0n)
  const destination = tracing.destination(ingress?.subject ?? '')
  const span = tracing.tracer.startSpan(
    `route ${destination.template}`,
    {
      startTime,
      attributes: serverAttributes(report, keys.messagingAttributes(destination, routeOperation)),
    },
    parent,
  )
  for (const step of report.steps.slice(1)) {
    span.addEvent(`nats.${step.kind}`, stepAttributes(step), hrTimeOf(step.timeUnixNano))
  }
  const failed = report.steps.find(isFailure)
  if (failed !== undefined) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: failed.error ?? '' })
    span.setAttribute(keys.errorType, `nats.${failed.kind}`)
  }
  span.end(hrTimeOf(times.reduce((latest, time) => (time > latest ? time : latest), 0n)))
  return span
}

const routeOperation = { name: 'route', type: 'route' }

/** A publisher that does not want its own messages back has asked for it. */
function isFailure(step: Step): boolean {
  return step.error !== undefined && step.error !== 'Not delivered because of no echo'
}

function serverAttributes(
  { server, hop, sizeBytes, steps }: ServerReport,
  attributes: Attributes,
): Attributes {
  const [ingress] = steps
  const egresses = steps.filter(({ kind, error }) => kind === 'egress' && error === undefined)
  return defined({
    ...attributes,
    [broker.serverName]: server.name,
    [broker.serverId]: server.id,
    [broker.serverCluster]: server.cluster,
    [broker.serverVersion]: server.version,
    [broker.account]: ingress?.account,
    [broker.hop]: hop,
    [broker.ingressKind]: ingress?.peer,
    [broker.ingressName]: ingress?.peerName,
    [broker.egressClients]: egresses.filter(({ peer }) => peer === 'client').length,
    [broker.egressServers]: egresses.filter(({ peer }) => peer !== 'client').length,
    [broker.envelopeSize]: sizeBytes,
  })
}

function stepAttributes(step: Step): Attributes {
  return defined({
    [broker.egressKind]: step.peer,
    [broker.egressName]: step.peerName,
    [broker.account]: step.account,
    [broker.subject]: step.subject,
    [broker.subjectFrom]: step.from,
    [broker.subjectTo]: step.to,
    [broker.hop]: step.hop,
    [broker.subscription]: step.subscription,
    [keys.consumerGroupName]: step.queue,
    [keys.natsStream]: step.stream,
    [broker.noInterest]: step.noInterest,
    [broker.error]: step.error,
  })
}

function defined(attributes: Attributes): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).filter(([, value]) => value !== undefined && value !== ''),
  )
}

function hrTimeOf(unixNano: bigint): HrTime {
  return [Number(unixNano / 1_000_000_000n), Number(unixNano % 1_000_000_000n)]
}
