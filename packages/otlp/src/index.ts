export { type AddSpanResult, SpanChunkEncoder, type SpanChunkEncoderOptions } from './span-chunk-encoder.ts'
export type {
  AttributeBlock,
  AttributeValue,
  EventRecord,
  FlatAttributes,
  LinkRecord,
  ScopeRecord,
  SpanRecord,
} from './span-record.ts'
