import {
  type ChunkEncoder,
  type ChunkEncoderOptions,
  LogChunkEncoder,
  type LogRecord,
  type ScopeRecord,
  SpanChunkEncoder,
  type SpanRecord,
} from '@throughline/otlp'
import type { DropReason } from './ledger.ts'
import type { SignalName } from './messages.ts'

/** Spans and log records alike are grouped by who made them. */
export interface ScopedItem {
  readonly scope: ScopeRecord
}

/** What the exporter has to know of a signal; everything else in it is the same for each. */
export interface Signal<Item extends ScopedItem> {
  readonly name: SignalName
  /** One item, in messages: `span`. */
  readonly itemName: string
  readonly tooLargeReason: DropReason
  createEncoder(options: ChunkEncoderOptions): ChunkEncoder<Item>
  /** What a message calls this item. */
  describe(item: Item): string
  /** Milliseconds on the monotonic clock when it came, from the item itself: a reading for each would cost more than its encoding. */
  timeMs(item: Item): number
}

export const spanSignal: Signal<SpanRecord> = {
  name: 'traces',
  itemName: 'span',
  tooLargeReason: 'span_too_large',
  createEncoder: (options) => new SpanChunkEncoder(options),
  describe: (span) => `"${span.name}"`,
  timeMs: (span) => span.endTimeMs,
}

export const logSignal: Signal<LogRecord> = {
  name: 'logs',
  itemName: 'log record',
  tooLargeReason: 'log_record_too_large',
  createEncoder: (options) => new LogChunkEncoder(options),
  describe: (record) => `a record of "${record.scope.name}"`,
  timeMs: (record) => record.observedTimeMs,
}
