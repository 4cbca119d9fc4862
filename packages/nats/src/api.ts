import {
  type Msg,
  type MsgHdrs,
  MsgHdrsImpl,
  type NatsConnection,
  type Payload,
  type RequestOptions,
} from '@nats-io/nats-core'
import {
  type Attributes,
  context,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
} from '@opentelemetry/api'
import * as keys from './attributes.ts'
import { extractFromHeaders, headersOf, spanContextOf } from './carrier.ts'
import { quietScope } from './quiet.ts'
import { endSpan, endSpanWithError, type NatsTracing } from './tracing.ts'

export interface ApiRequest {
  readonly subject: string
  readonly payload: Payload | undefined
  readonly requestOptions: RequestOptions | undefined
}

/**
 * A call of JetStream's API: one CLIENT span, named by operation and stream. A stored message that it brings is linked to
 * its writer and nothing more: the reader's work belongs to the reader's trace.
 */
export function requestApi(
  tracing: NatsTracing,
  connection: NatsConnection,
  { subject, payload, requestOptions }: ApiRequest,
): Promise<Msg> {
  const call = apiCallOf(subject)
  const scope = quietScope()
  if (call === undefined || scope !== undefined) {
    const reply = connection.request(subject, payload, requestOptions)
    const onWriter = scope?.onWriter
    if (call === undefined || onWriter === undefined) return reply
    return reply.then((message) => {
      const writer = writerOf(tracing, call, message)
      if (writer !== undefined) onWriter(writer)
      return message
    })
  }
  const span = startApiSpan(tracing, call)
  const reply = connection.request(subject, payload, requestOptions)
  if (span === undefined) return reply
  return reply.then(
    (message) => {
      noteReply(tracing, span, { call, message })
      endSpan(span)
      return message
    },
    (error: unknown) => {
      endSpanWithError(span, error)
      throw error
    },
  )
}

/** What a subject of the API says: `$JS.API.CONSUMER.INFO.ORDERS.billing`. */
interface ApiCall {
  /** In lower case, e.g. `consumer.info`. Few values: words that are not the API's own are not taken over. */
  readonly operation: string
  readonly stream: string | undefined
  readonly consumer: string | undefined
}

/** Operations of two words, by the first. */
const twoWords: ReadonlySet<string> = new Set(['MSG', 'DURABLE', 'LEADER', 'PEER'])
const entities: ReadonlySet<string> = new Set(['STREAM', 'CONSUMER', 'DIRECT'])
const word = /^[A-Z]{2,10}$/

/** Undefined for a pull, whose messages are what counts. */
function apiCallOf(subject: string): ApiCall | undefined {
  const tokens = subject.slice(keys.apiStart(subject)).split('.')
  const [entity = '', verb = ''] = tokens
  if (!entities.has(entity)) {
    const known = tokens.every((token) => word.test(token)) && tokens.length <= 3
    const operation = known ? tokens.join('.').toLowerCase() : 'other'
    return {
      operation: entity === 'INFO' ? 'account.info' : operation,
      stream: undefined,
      consumer: undefined,
    }
  }
  const words = twoWords.has(verb) ? 3 : 2
  const operation = tokens.slice(0, words).join('.')
  if (operation === 'CONSUMER.MSG.NEXT') return undefined
  const known = tokens.slice(0, words).every((token) => word.test(token))
  return {
    operation: known ? operation.toLowerCase() : `${entity.toLowerCase()}.other`,
    stream: tokens[words],
    consumer: entity === 'CONSUMER' ? tokens[words + 1] : undefined,
  }
}

function startApiSpan(tracing: NatsTracing, { operation, stream, consumer }: ApiCall): Span | undefined {
  if (!tracing.isOn || tracing.options.apiSpans === false) return undefined
  const active = context.active()
  if (!tracing.mayStartIn(active)) return undefined
  const attributes: Attributes = { [keys.messagingSystem]: 'nats', [keys.operationName]: operation }
  if (stream !== undefined) attributes[keys.natsStream] = stream
  if (consumer !== undefined) attributes[keys.subscriptionName] = consumer
  tracing.addServer(attributes)
  const name = stream === undefined ? `jetstream.${operation}` : `jetstream.${operation} ${stream}`
  return tracing.tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, active)
}

function noteReply(
  tracing: NatsTracing,
  span: Span,
  { call, message }: { call: ApiCall; message: Msg },
): void {
  const failure = failureOf(call, message)
  if (failure !== undefined) {
    span.setAttribute(keys.errorType, failure.code)
    span.setStatus({ code: SpanStatusCode.ERROR, message: failure.description })
    return
  }
  const writer = writerOf(tracing, call, message)
  if (writer !== undefined) span.addLink({ context: writer })
}

interface Failure {
  readonly code: string
  readonly description: string
}

/** No answer of the API that tells an error is longer. */
const failureBytesMax = 2_048
/** https://github.com/nats-io/nats-server/blob/main/server/errors.json: the client answers this with null. */
const noMessageFound = 10_037

function failureOf(call: ApiCall, message: Msg): Failure | undefined {
  if (call.operation === 'direct.get') {
    const { code = 0, description = '' } = headersOf(message) ?? {}
    return code === 0 || code === 404 ? undefined : { code: String(code), description }
  }
  if (message.data.length > failureBytesMax) return undefined
  const error = errorIn(message.data)
  if (error === undefined || error.err_code === noMessageFound) return undefined
  return { code: String(error.err_code ?? error.code ?? ''), description: error.description ?? '' }
}

interface ApiError {
  readonly code?: number
  readonly err_code?: number
  readonly description?: string
}

function errorIn(data: Uint8Array): ApiError | undefined {
  const text = bufferOf(data).toString()
  if (!text.includes('"error"')) return undefined
  try {
    // The shape that the server's API has; what else answers costs at most a strange text in a span.
    const { error } = JSON.parse(text) as { error?: ApiError | null }
    return typeof error === 'object' && error !== null ? error : undefined
  } catch {
    return undefined
  }
}

/** Who wrote the stored message in an answer. */
function writerOf(tracing: NatsTracing, call: ApiCall, message: Msg): SpanContext | undefined {
  if (call.operation === 'direct.get') {
    return spanContextOf(extractFromHeaders(headersOf(message), ROOT_CONTEXT, tracing.propagator))
  }
  if (call.operation !== 'stream.msg.get') return undefined
  const bytes = storedHeaders(bufferOf(message.data))
  if (bytes === undefined) return undefined
  const stored = {
    get headers(): MsgHdrs {
      return MsgHdrsImpl.decode(bytes)
    },
  }
  return spanContextOf(extractFromHeaders(headersOf(stored), ROOT_CONTEXT, tracing.propagator))
}

const headersStart = Buffer.from('"hdrs":"')

/** The headers in the JSON of a stored message, without parsing the rest, which may be megabytes. */
function storedHeaders(json: Buffer): Buffer | undefined {
  const found = json.indexOf(headersStart)
  if (found < 0) return undefined
  const start = found + headersStart.length
  const end = json.indexOf('"', start)
  return end < 0 ? undefined : Buffer.from(json.toString('latin1', start, end), 'base64')
}

function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}
