/** Every bound of Lens, with its unit in the name. What happens at each is said where it is used. */
export const limits = {
  /** OTLP/HTTP body as it arrives; above: 413. */
  requestBytesMax: 16_777_216,
  /** The same after gunzip, and a gRPC message; above: 413 or RESOURCE_EXHAUSTED. A zip bomb stops here. */
  inflatedBytesMax: 33_554_432,
  /** How long a sender may take to send its headers, and a whole request. */
  requestTimeoutMs: 30_000,
  /** One span with its attributes, events and links; above: the span is refused with the reason. */
  spanBytesMax: 1_048_576,
  /** Taken but not yet stored; above: 503 or UNAVAILABLE, and the sender retries. */
  pendingSpansMax: 200_000,
  /** Spans of one trace that the API returns; above: the earliest, and `truncated: true`. */
  traceSpansMax: 100_000,
  logsPerTraceMax: 10_000,
  tracesLimitMax: 1_000,
  queryTimeoutMs: 10_000,
  /** Distinct (resource, scope) pairs that the writer remembers; above: it forgets all and looks them up anew. */
  rememberedSourcesMax: 10_000,
  retentionHours: 72,
  retentionBytesMax: 4_294_967_296,
  retentionIntervalMs: 60_000,
} as const
