import type { JsMsg } from '@nats-io/jetstream'
import type { Msg } from '@nats-io/nats-core'
import type { Attributes } from '@opentelemetry/api'
import * as keys from './attributes.ts'
import type { Processing } from './process.ts'
import type { NatsTracing } from './tracing.ts'

/** A message of the core client, or of JetStream. */
export type Message = Msg | JsMsg

/** What a traced connection knows of a message that it has handed over. */
export interface Handover {
  readonly tracing: NatsTracing
  readonly processing: Processing | undefined
}

const handovers = new WeakMap<object, Handover>()

export function handoverOf(message: object): Handover | undefined {
  return handovers.get(message)
}

export function setHandover(message: Message, handover: Handover): void {
  handovers.set(message, handover)
}

/** What JetStream says of the delivery, for its messages. */
export function addDelivery(message: Message, attributes: Attributes): void {
  if (!('info' in message)) return
  try {
    const { info } = message
    attributes[keys.natsStream] = info.stream
    attributes[keys.subscriptionName] = info.consumer
    attributes[keys.natsSequence] = info.streamSequence
    attributes[keys.natsDeliveryCount] = info.deliveryCount
  } catch {
    // Made by toJsMsg() from a message that JetStream did not deliver.
  }
}
