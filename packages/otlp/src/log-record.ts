import type { ScopeRecord } from './span-record.ts'

/**
 * One log record as the encoder reads it: plain fields, no copies.
 * https://opentelemetry.io/docs/specs/otel/logs/data-model/
 */
export interface LogRecord {
  /** When it happened, in milliseconds from the `originUnixNano` that the encoder is given. */
  readonly timeMs: number
  /** When it was seen, likewise. */
  readonly observedTimeMs: number
  /** OpenTelemetry's number, 1 (TRACE) to 24 (FATAL4); 0: unknown. */
  readonly severityNumber: number
  /** The level's own name, as the source writes it; may be empty. */
  readonly severityText: string
  readonly body: LogValue
  readonly flatAttributes: FlatLogAttributes
  readonly droppedAttributesCount: number
  /** 32 lower-case hex characters; empty outside of any span. */
  readonly traceId: string
  /** 16 lower-case hex characters; empty outside of any span. */
  readonly spanId: string
  readonly traceFlags: number
  /** Names the kind of event; empty for an ordinary record. */
  readonly eventName: string
  readonly scope: ScopeRecord
}

/**
 * A body or an attribute of a log record: JSON-like, with bytes and 64-bit integers. What has `toJSON` is written as
 * that says, an Error as its stack; functions, symbols and what is nested deeper than 24 levels as nothing.
 */
export type LogValue =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly LogValue[]
  | { readonly [key: string]: LogValue }

/** key, value, key, value: even indexes hold strings, odd ones values. */
export type FlatLogAttributes = readonly LogValue[]
