export type {
  AttributeBlock,
  AttributeValue,
  EventRecord,
  FlatAttributes,
  LinkRecord,
  ScopeRecord,
  SpanRecord,
} from './span-record.ts'
