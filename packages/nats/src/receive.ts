import type { Consumer, ConsumerInfo, JsMsg } from '@nats-io/jetstream'
import { type Context, context, type Link, SpanKind } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { extractFromHeaders, headersOf, spanContextOf } from './carrier.ts'
import { addDelivery } from './handover.ts'
import { type Failure, type NatsTracing, recordError } from './tracing.ts'

/** Further messages of a batch are counted, and not linked: OpenTelemetry's own limit for links. */
const linksMax = 128

/**
 * The CLIENT span of one next() or fetch(): from the call to the last message that it handed out, with a link to the
 * writer of each. It is made when that is over: a wait that brings nothing is none, since workers ask again and again,
 * and a batch that somebody stops to read leaves none open.
 */
export class Receive {
  readonly #tracing: NatsTracing
  readonly #isBatch: boolean
  readonly #parent: Context = context.active()
  readonly #startTime = Date.now()
  readonly #links: Link[] = []
  #consumer: ConsumerInfo | undefined
  #first: JsMsg | undefined
  #count = 0
  #endTime = this.#startTime
  #over = false

  constructor(tracing: NatsTracing, { consumer, isBatch }: { consumer?: Consumer; isBatch: boolean }) {
    this.#tracing = tracing
    this.#isBatch = isBatch
    // What the client knows already, without asking the server.
    void consumer?.info(true).then((info) => {
      this.#consumer = info
    }, ignored)
  }

  add(message: JsMsg): void {
    this.#first ??= message
    this.#count++
    this.#endTime = Date.now()
    if (this.#links.length >= linksMax || !this.#tracing.isOn) return
    const carried = extractFromHeaders(headersOf(message), undefined, this.#tracing.propagator)
    const writer = spanContextOf(carried)
    if (writer !== undefined) this.#links.push({ context: writer })
  }

  /** What was asked for has come, or has failed; later calls do nothing. */
  end(failure?: Failure): void {
    const first = this.#first
    if (this.#over || !this.#tracing.isOn || (first === undefined && failure === undefined)) return
    this.#over = true
    // A worker's loop asks outside of any span.
    if (!this.#tracing.mayStartIn(this.#parent)) return
    const destination = this.#tracing.destination(this.#subject())
    const attributes = keys.messagingAttributes(destination, receiveOperation)
    if (first !== undefined && !this.#isBatch) addDelivery(first, attributes)
    else if (this.#consumer !== undefined) {
      attributes[keys.natsStream] = this.#consumer.stream_name
      attributes[keys.subscriptionName] = this.#consumer.name
    }
    if (this.#isBatch) attributes[keys.batchMessageCount] = this.#count
    const { tracer } = this.#tracing
    const span = tracer.startSpan(
      `receive ${destination.template}`,
      {
        kind: SpanKind.CLIENT,
        startTime: this.#startTime,
        links: this.#links,
        attributes: this.#tracing.addServer(attributes),
      },
      this.#parent,
    )
    if (failure !== undefined) recordError(span, failure.error)
    span.end(failure === undefined ? this.#endTime : undefined)
  }

  /** A batch may have any subject that its consumer takes. */
  #subject(): string {
    const { config, stream_name: stream } = this.#consumer ?? {}
    const wanted = config?.filter_subject ?? stream
    const first = this.#first
    if (first === undefined) return wanted ?? 'unknown'
    return (this.#isBatch ? wanted : undefined) ?? first.subject
  }
}

const receiveOperation = { name: 'receive', type: 'receive' }

function ignored(): void {}
