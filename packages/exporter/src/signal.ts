import {
  type AddItemResult,
  SpanChunkEncoder,
  type SpanChunkEncoderOptions,
  type SpanRecord,
} from '@throughline/otlp'
import type { DropReason } from './ledger.ts'
import type { SignalName } from './messages.ts'

/** Encodes items one by one into a buffer that always holds one chunk: what a SpanChunkEncoder promises, for any signal. */
export interface ChunkEncoder<Item> {
  readonly itemCount: number
  readonly sizeBytes: number
  add(item: Item): AddItemResult
  finish(): Uint8Array
  attach(buffer: ArrayBuffer): void
}

/** What the exporter has to know of a signal; everything else in it is the same for each. */
export interface Signal<Item> {
  readonly name: SignalName
  /** One item, in messages: `span`. */
  readonly itemName: string
  readonly tooLargeReason: DropReason
  createEncoder(options: SpanChunkEncoderOptions): ChunkEncoder<Item>
  /** What a message calls this item. */
  describe(item: Item): string
}

export const spanSignal: Signal<SpanRecord> = {
  name: 'traces',
  itemName: 'span',
  tooLargeReason: 'span_too_large',
  createEncoder: (options) => new SpanChunkEncoder(options),
  describe: (span) => `"${span.name}"`,
}
