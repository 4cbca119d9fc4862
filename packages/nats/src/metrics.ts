import {
  type Attributes,
  type Counter,
  createNoopMeter,
  type Histogram,
  type Meter,
  type MeterProvider,
  metrics,
} from '@opentelemetry/api'
import * as keys from './attributes.ts'

// https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/
const durationBucketsSeconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

interface Instruments {
  readonly operationDuration: Histogram
  readonly processDuration: Histogram
  readonly sent: Counter
  readonly consumed: Counter
}

/** The metrics of the messaging conventions for one connection. Without a meter it measures nothing. */
export class MessagingMetrics {
  readonly #scope: { readonly name: string; readonly version: string }
  readonly #given: MeterProvider | undefined
  #provider: MeterProvider | undefined
  #instruments: Instruments | undefined

  constructor(scope: { readonly name: string; readonly version: string }, given: MeterProvider | undefined) {
    this.#scope = scope
    this.#given = given
  }

  /** Starts to measure an operation of the client, or gives undefined without a meter. */
  start(operation: OperationOf): Measurement | undefined {
    const instruments = this.#current()
    return instruments === undefined ? undefined : new Measurement(instruments, operation)
  }

  /** A message has been delivered to the program. Once for each delivery, whatever is then done with it. */
  countConsumed(operation: OperationOf): void {
    this.#current()?.consumed.add(1, attributesOf(operation))
  }

  /** The global provider may be registered after the connection was wrapped, and be exchanged. */
  #current(): Instruments | undefined {
    const provider = this.#given ?? metrics.getMeterProvider()
    if (provider !== this.#provider) {
      this.#provider = provider
      const meter = provider.getMeter(this.#scope.name, this.#scope.version)
      this.#instruments = meter === createNoopMeter() ? undefined : instrumentsOf(meter)
    }
    return this.#instruments
  }
}

/** What a measurement is of. */
export interface OperationOf {
  readonly operation: { readonly name: string; readonly type: string }
  readonly destination: keys.Destination
  /** The queue group of a subscription. */
  readonly group?: string | undefined
  /** The consumer of a stream. */
  readonly subscription?: string | undefined
  /** Adds the server's address and port. */
  readonly addServer: (attributes: Attributes) => Attributes
}

export class Measurement {
  readonly #startMs = performance.now()
  readonly #instruments: Instruments
  readonly #operation: OperationOf

  constructor(instruments: Instruments, operation: OperationOf) {
    this.#instruments = instruments
    this.#operation = operation
  }

  /** Once. `errorType` for an operation that has failed. */
  end(errorType?: string): void {
    const seconds = (performance.now() - this.#startMs) / 1_000
    const attributes = attributesOf(this.#operation)
    if (errorType !== undefined) attributes[keys.errorType] = errorType
    const { type } = this.#operation.operation
    if (type === 'process') return this.#instruments.processDuration.record(seconds, attributes)
    this.#instruments.operationDuration.record(seconds, attributes)
    if (type === 'send') this.#instruments.sent.add(1, attributes)
  }
}

function attributesOf({ operation, destination, group, subscription, addServer }: OperationOf): Attributes {
  const attributes = keys.metricAttributes(destination, operation)
  if (group !== undefined) attributes[keys.consumerGroupName] = group
  if (subscription !== undefined) attributes[keys.subscriptionName] = subscription
  return addServer(attributes)
}

function instrumentsOf(meter: Meter): Instruments {
  const duration = (name: string, description: string): Histogram =>
    meter.createHistogram(name, {
      unit: 's',
      description,
      advice: { explicitBucketBoundaries: durationBucketsSeconds },
    })
  const count = (name: string, description: string): Counter =>
    meter.createCounter(name, { unit: '{message}', description })
  return {
    operationDuration: duration(
      'messaging.client.operation.duration',
      'Duration of operations of the client.',
    ),
    processDuration: duration('messaging.process.duration', 'Duration of the processing of a message.'),
    sent: count(
      'messaging.client.sent.messages',
      'Messages that were handed to the server, or should have been.',
    ),
    consumed: count('messaging.client.consumed.messages', 'Messages that were delivered to the program.'),
  }
}
