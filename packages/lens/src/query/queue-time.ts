import type { Span } from '../model.ts'

export interface QueueNano {
  readonly producerSpanId: string
  readonly startTimeUnixNano: bigint
  readonly durationNano: bigint
}

const producerKind = 4
const consumerKind = 5

/**
 * The queue time of every CONSUMER span whose PRODUCER is in the same trace, as its parent or else as a link, by span id.
 * A message can be taken before the publishing call has returned (the acknowledgement is still on its way); its queue time
 * is then 0 and stands at the consumer's start.
 */
export function queueTimes(traceId: string, spans: readonly Span[]): ReadonlyMap<string, QueueNano> {
  const producers = new Map<string, Span>()
  // One that runs has no end to count from yet.
  for (const span of spans)
    if (span.kind === producerKind && span.state !== 'pending') producers.set(span.spanId, span)
  const queues = new Map<string, QueueNano>()
  if (producers.size === 0) return queues
  for (const span of spans) {
    if (span.kind !== consumerKind) continue
    const producer = producers.get(span.parentSpanId) ?? linkedProducer(traceId, span, producers)
    if (producer === undefined) continue
    const waitedNano = span.startTimeUnixNano - producer.endTimeUnixNano
    queues.set(span.spanId, {
      producerSpanId: producer.spanId,
      startTimeUnixNano: waitedNano > 0n ? producer.endTimeUnixNano : span.startTimeUnixNano,
      durationNano: waitedNano > 0n ? waitedNano : 0n,
    })
  }
  return queues
}

function linkedProducer(traceId: string, span: Span, producers: ReadonlyMap<string, Span>): Span | undefined {
  for (const link of span.links) {
    const producer = link.traceId === traceId ? producers.get(link.spanId) : undefined
    if (producer !== undefined) return producer
  }
  return undefined
}
