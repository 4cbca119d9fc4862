import { type JetStreamClient, jetstream } from '@nats-io/jetstream'
import { type MsgHdrs, headers as natsHeaders } from '@nats-io/nats-core'
import { context } from '@opentelemetry/api'
import { errorText } from '../error-text.ts'
import { uuidV7 } from '../httpkit/request-id.ts'
import { type BusConnectionOptions, connectBus } from './bus-connection.ts'
import { BusError } from './bus-error.ts'
import { type BusEvent, type ChangeEvent, changeMessage } from './bus-event.ts'
import { endWithError, injectPublishing, startPublishing } from './bus-tracing.ts'
import { type EnvelopeFormat, writeEnvelope } from './envelope.ts'

/** What is published. */
export interface BusMessage {
  readonly subject: string
  readonly tenantId: string
  /** A JSON value; in the protobuf formats a ProtoData. */
  readonly data: unknown
  /** Default: the publisher's. */
  readonly source?: string | undefined
  /** Default: the subject. */
  readonly type?: string | undefined
  /** Also the deduplication id. Default: a new one. */
  readonly id?: string | undefined
}

export interface Published {
  readonly id: string
  readonly stream: string
  readonly sequence: number
  /** The stream had a message of this id already. */
  readonly isDuplicate: boolean
}

export interface PublisherOptions extends BusConnectionOptions {
  /** The `source` of events that say none of their own. */
  readonly source: string
  /** Default `json`. */
  readonly format?: EnvelopeFormat | undefined
}

/** Publishes events to JetStream, each in a `nats.publish` span whose context is in the envelope and in the headers. */
export interface BusPublisher {
  /** Rejects with a BusError. */
  publish(message: BusMessage): Promise<Published>
  publishChange(prefix: string, change: ChangeEvent): Promise<Published>
  close(): Promise<void>
}

/** A message as it goes to the server. */
export interface RawMessage {
  readonly subject: string
  readonly id: string
  readonly headers: MsgHdrs
  readonly payload: Uint8Array
}

/** Sends a message and waits for the stream's word. Opens no span. */
export type RawSend = (message: RawMessage) => Promise<Omit<Published, 'id'>>

/** Connects; waits for a server that is not there yet. Rejects with a BusError for an option that is missing. */
export async function createPublisher(options: PublisherOptions): Promise<BusPublisher> {
  const connection = await connectBus(options)
  return publisherOver(options, rawSend(jetstream(connection)), () => connection.drain())
}

/** Publishes nothing and says so: for services that run without NATS. */
export function noopPublisher(): BusPublisher {
  return {
    publish: ({ id = '' }) => Promise.resolve({ ...unpublished, id }),
    publishChange: () => Promise.resolve(unpublished),
    close: () => Promise.resolve(),
  }
}

const unpublished: Published = { id: '', stream: '', sequence: 0, isDuplicate: false }

export function rawSend(client: JetStreamClient): RawSend {
  return async ({ subject, id, headers, payload }) => {
    const { stream, seq, duplicate } = await client.publish(subject, payload, { msgID: id, headers })
    return { stream, sequence: seq, isDuplicate: duplicate }
  }
}

export function publisherOver(
  options: Pick<PublisherOptions, 'format' | 'source'>,
  send: RawSend,
  close: () => Promise<void>,
): BusPublisher {
  const { format = 'json', source } = options
  const publish = async (message: BusMessage): Promise<Published> => {
    const { subject, id = uuidV7(Date.now()) } = message
    const publishing = startPublishing(subject, id)
    try {
      const event: BusEvent = {
        id,
        type: message.type ?? subject,
        source: message.source ?? source,
        time: new Date().toISOString(),
        tenantId: message.tenantId,
        data: message.data,
        ...publishing.fields,
      }
      const written = writeEnvelope(event, format)
      const headers = natsHeaders()
      for (const [name, value] of written.headers) headers.set(name, value)
      const raw: RawMessage = {
        subject,
        id,
        payload: written.payload,
        headers: injectPublishing(publishing, headers),
      }
      const sent = await context.with(publishing.context, send, undefined, raw)
      publishing.span.end()
      return { id, ...sent }
    } catch (error) {
      endWithError(publishing.span, error)
      if (error instanceof BusError) throw error
      const text = errorText(error)
      throw new BusError('publish_failed', `${subject}: ${text}`, { cause: error })
    }
  }
  return {
    publish,
    publishChange: (prefix, change) => publish(changeMessage(prefix, change)),
    close,
  }
}
