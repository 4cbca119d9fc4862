import {
  type Attributes,
  type Context,
  context,
  INVALID_SPAN_CONTEXT,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { headersOf, spanContextOf } from './carrier.ts'
import { extractFromHeadersOrEnvelope } from './envelope.ts'
import { addDelivery, type Handover, handoverOf, type Message, setHandover } from './handover.ts'
import type { Measurement, OperationOf } from './metrics.ts'
import type { ProcessSpanOptions } from './options.ts'
import { unquiet } from './quiet.ts'
import { traceSettling } from './settle.ts'
import { errorTypeOf, type Failure, isUnsampled, NatsTracing, recordError } from './tracing.ts'

/** The processing of one message: its span, and the context in which its handler runs. */
export class Processing {
  readonly span: Span
  readonly context: Context
  /** Who sent the message. */
  readonly producer: SpanContext | undefined
  readonly #measured: Measurement | undefined
  #failed: string | undefined
  #ended = false
  #claimed = false

  constructor(
    span: Span,
    within: Context,
    known: { readonly measured: Measurement | undefined; readonly producer?: SpanContext | undefined },
  ) {
    this.span = span
    this.context = within
    this.producer = known.producer
    this.#measured = known.measured
  }

  get ended(): boolean {
    return this.#ended
  }

  /** True without a span and without a measurement. */
  get isEmpty(): boolean {
    return this.span === noSpan && this.#measured === undefined
  }

  /** From now on only end() ends it: whoever claims it knows better than the loop when the work is done. */
  claim(): void {
    this.#claimed = true
  }

  /** The loop or callback is done with the message. */
  leave(failure?: Failure): void {
    if (!this.#claimed) this.end(failure)
  }

  end(failure?: Failure): void {
    if (this.#ended) return
    this.#ended = true
    if (failure !== undefined) recordError(this.span, failure.error)
    this.span.end()
    this.#measured?.end(failure === undefined ? this.#failed : errorTypeOf(failure.error))
  }

  /** The answer that went out says that the request has failed, whatever the handler does. */
  fail(type: string, message: string): void {
    if (this.#ended) return
    this.#failed = type
    this.span.setAttribute(keys.errorType, type)
    this.span.setStatus({ code: SpanStatusCode.ERROR, message })
  }
}

const defaultTracing = new NatsTracing({})

/** How a message came. */
export interface Delivery {
  /** The context around its handler. */
  readonly base: Context
  /** The queue group of the subscription. */
  readonly group?: string | undefined
  /** The subject of the subscription, which may have wildcards. */
  readonly pattern?: string | undefined
}

/**
 * Starts the span of a message that is handed to its consumer, unless the options want none. Values of `base` stay, save
 * its span and baggage: the message brings its own, or starts a trace.
 */
export function handOver(tracing: NatsTracing, message: Message, delivery: Delivery): Processing | undefined {
  const wanted = tracing.isOn ? wantedSpan(tracing, message) : undefined
  if (wanted === false) {
    tracing.metrics.countConsumed(operationOf(tracing, message, delivery))
    noteHandOver(tracing, message)
    return undefined
  }
  const processing = startProcessing(tracing, message, {
    base: delivery.base,
    group: delivery.group,
    pattern: delivery.pattern,
    name: wanted?.name,
    attributes: wanted?.attributes,
    delivered: true,
  })
  note(message, { tracing, processing })
  // Nothing to run in, nothing to end: as by the untraced client.
  return processing.isEmpty && processing.context === delivery.base ? undefined : processing
}

function note(message: Message, handover: Handover): void {
  traceSettling(message)
  setHandover(message, handover)
}

/** A message without a span so far: processMessage starts it, with the options of the message's connection. */
export function noteHandOver(tracing: NatsTracing, message: Message): void {
  note(message, { tracing, processing: undefined })
}

/** Lets another object stand for a message that was handed over. */
export function sameMessage(message: Message, other: Message): void {
  const handover = handoverOf(message)
  if (handover !== undefined) setHandover(other, handover)
}

/** The context that a message brought, or in which it is processed. */
export function contextOfMessage(message: Message): Context {
  const handover = handoverOf(message)
  return handover?.processing?.context ?? extractFromMessage(message)
}

/** With an envelope where the connection's options have one. */
function carriedBy(tracing: NatsTracing | undefined, message: Message, base: Context): Context {
  const { propagator, options } = tracing ?? {}
  return extractFromHeadersOrEnvelope(message, base, { propagator, envelope: options?.envelope })
}

/** The processing of a message that a traced subscription has handed over. */
export function processingOf(message: Message): Processing | undefined {
  return handoverOf(message)?.processing
}

/**
 * The context that a message carries, on top of `base` (default: an empty one); none from a subject that the connection's
 * options do not trust. For those who start their own span; most want processMessage.
 */
export function extractFromMessage(message: Message, base: Context = ROOT_CONTEXT): Context {
  const tracing = handoverOf(message)?.tracing
  if (tracing?.trusts(message.subject) === false) return base
  return carriedBy(tracing, message, base)
}

/**
 * Runs `handler` inside the CONSUMER span of `message`, which ends when the promise that it returns settles, or when it
 * returns; what it throws is recorded and thrown on. A message that a traced subscription has handed over has its span
 * already: that one gets the name and the attributes, there are never two. For messages of `consumer.next()`, of untraced
 * connections, and where `processSpan` answered false, it starts the span.
 */
export function processMessage<T>(
  message: Message,
  options: ProcessSpanOptions,
  handler: (span: Span) => T,
): T {
  const handover = handoverOf(message)
  let processing = handover?.processing
  if (processing === undefined || processing.ended) {
    const tracing = handover?.tracing ?? defaultTracing
    processing = startProcessing(tracing, message, {
      base: context.active(),
      ...options,
      delivered: handover === undefined,
    })
    if (handover !== undefined) setHandover(message, { tracing: handover.tracing, processing })
  } else {
    if (options.name !== undefined) processing.span.updateName(options.name)
    if (options.attributes !== undefined) processing.span.setAttributes(options.attributes)
  }
  const claimed = processing
  return runClaimed(claimed, () => handler(claimed.span))
}

/** Runs a handler in the message's context; the span ends with it, however long the loop or callback has been done. */
export function runClaimed<T>(processing: Processing, handler: () => T): T {
  processing.claim()
  return runInside(processing.context, handler, (failure) => processing.end(failure))
}

/** Runs the callback of a subscription in the message's context; the span ends with it, unless it is claimed. */
export function runProcessing<T>(processing: Processing, handler: () => T): T {
  return runInside(processing.context, handler, (failure) => processing.leave(failure))
}

function runInside<T>(within: Context, handler: () => T, done: (failure?: Failure) => void): T {
  let result: T
  try {
    result = context.with(within, handler)
  } catch (error) {
    done({ error })
    throw error
  }
  if (!isPromise(result)) {
    done()
    return result
  }
  const settled = result.then(
    (value) => {
      done()
      return value
    },
    (error: unknown) => {
      done({ error })
      throw error
    },
  )
  // The handler's promise type is kept: the derived promise settles as the handler's does.
  return settled as T
}

interface StartOptions extends Delivery {
  readonly name?: string | undefined
  readonly attributes?: Attributes | undefined
  /** The message has not been counted as delivered yet. */
  readonly delivered: boolean
}

function startProcessing(tracing: NatsTracing, message: Message, options: StartOptions): Processing {
  const operation = operationOf(tracing, message, options)
  if (options.delivered) tracing.metrics.countConsumed(operation)
  const measured = tracing.metrics.start(operation)
  const { on, carried, parent, producer } = incomingOf(tracing, message, options.base)
  if (!on) return new Processing(noSpan, carried, { measured })
  const unsampled = isUnsampled(parent)
  const attributes = unsampled ? undefined : processAttributes(tracing, message, operation, options)
  const span = tracing.tracer.startSpan(
    options.name ?? `process ${operation.destination.template}`,
    {
      kind: SpanKind.CONSUMER,
      ...(attributes === undefined ? undefined : { attributes }),
      ...(producer === undefined || unsampled ? undefined : { links: [{ context: producer }] }),
    },
    parent,
  )
  if (unsampled && span.isRecording()) {
    span.setAttributes(processAttributes(tracing, message, operation, options))
    if (producer !== undefined) span.addLink({ context: producer })
  }
  return new Processing(span, trace.setSpan(carried, span), { measured, producer })
}

function processAttributes(
  tracing: NatsTracing,
  message: Message,
  { destination }: OperationOf,
  { group, attributes: added }: StartOptions,
): Attributes {
  const attributes = keys.messagingAttributes(destination, processOperation)
  attributes[keys.bodySize] = message.data.length
  if (group !== undefined) attributes[keys.consumerGroupName] = group
  addMessageId(message, attributes)
  addDelivery(message, attributes)
  tracing.addServer(attributes)
  if (added !== undefined) Object.assign(attributes, added)
  return attributes
}

interface Incoming {
  /** False without a tracer: then a context is only handed on. */
  readonly on: boolean
  /** What the handler runs in, save the span. */
  readonly carried: Context
  readonly parent: Context
  readonly producer: SpanContext | undefined
}

function incomingOf(tracing: NatsTracing, message: Message, base: Context): Incoming {
  const on = tracing.isOn
  // Without a tracer there is no span that the message's own could be mistaken for.
  const empty =
    on || headersOf(message) !== undefined || tracing.options.envelope !== undefined
      ? unquiet(propagation.deleteBaggage(trace.deleteSpan(base)))
      : base
  const extracted = carriedBy(tracing, message, empty)
  const producer = spanContextOf(extracted)
  if (!on) {
    const nothing = extracted === empty || !tracing.trusts(message.subject)
    return { on, carried: nothing ? base : extracted, parent: base, producer }
  }
  if (!tracing.trusts(message.subject)) return { on, carried: empty, parent: empty, producer }
  const parent = tracing.options.consumerParent === 'link' ? trace.deleteSpan(extracted) : extracted
  return { on, carried: extracted, parent, producer }
}

function operationOf(
  tracing: NatsTracing,
  message: Message,
  delivery: Omit<Delivery, 'base'> | undefined,
): OperationOf {
  return {
    operation: processOperation,
    destination: tracing.destination(message.subject, delivery?.pattern),
    group: delivery?.group,
    addServer: tracing.addServer,
  }
}

const processOperation = { name: 'process', type: 'process' }
const noSpan = trace.wrapSpanContext(INVALID_SPAN_CONTEXT)

function addMessageId(message: Message, attributes: Attributes): void {
  const id = headersOf(message)?.get('Nats-Msg-Id')
  if (id) attributes[keys.messageId] = keys.bounded(id)
}

function wantedSpan(tracing: NatsTracing, message: Message): ProcessSpanOptions | false | undefined {
  try {
    return tracing.options.processSpan?.(message)
  } catch {
    return undefined
  }
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
}
