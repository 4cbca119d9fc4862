import type {
  Attributes,
  Context,
  HrTime,
  Link,
  Span,
  SpanContext,
  SpanKind,
  SpanStatus,
} from '@opentelemetry/api'

/** OpenTelemetry SDK's resource, as third-party processors and exporters read it. */
export interface ReadableResource {
  readonly attributes: Attributes
  readonly asyncAttributesPending?: boolean
  readonly schemaUrl?: string
  waitForAsyncAttributes?(): Promise<void>
  merge(other: ReadableResource | null): ReadableResource
  getRawAttributes(): [string, Attributes[string] | Promise<Attributes[string]>][]
}

/** OpenTelemetry SDK's view of an event. */
export interface ReadableEvent {
  time: HrTime
  name: string
  attributes?: Attributes
  droppedAttributesCount?: number
}

/** OpenTelemetry SDK's view of a span, for third-party processors and exporters. */
export interface ReadableSpan {
  readonly name: string
  readonly kind: SpanKind
  readonly spanContext: () => SpanContext
  readonly parentSpanContext?: SpanContext
  readonly startTime: HrTime
  readonly endTime: HrTime
  readonly status: SpanStatus
  readonly attributes: Attributes
  readonly links: Link[]
  readonly events: ReadableEvent[]
  readonly duration: HrTime
  readonly ended: boolean
  readonly resource: ReadableResource
  readonly instrumentationScope: {
    readonly name: string
    readonly version?: string
    readonly schemaUrl?: string
  }
  readonly droppedAttributesCount: number
  readonly droppedEventsCount: number
  readonly droppedLinksCount: number
}

/**
 * OpenTelemetry SDK's span processor. `onStart` and `onEnd` are called synchronously; what they throw is reported and
 * does not reach the host.
 */
export interface SpanProcessor {
  onStart(span: Span & ReadableSpan, parentContext: Context): void
  onEnding?(span: Span & ReadableSpan): void
  onEnd(span: ReadableSpan): void
  forceFlush(): Promise<void>
  shutdown(): Promise<void>
}

/** OpenTelemetry SDK's result of an export: code 0 is success, 1 failure. */
export interface ExportResult {
  readonly code: number
  readonly error?: Error
}

/** OpenTelemetry SDK's span exporter. */
export interface SpanExporter {
  export(spans: ReadableSpan[], resultCallback: (result: ExportResult) => void): void
  forceFlush?(): Promise<void>
  shutdown(): Promise<void>
}
