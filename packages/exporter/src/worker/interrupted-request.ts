import { type DecodedKeyValue, type DecodedSpan, decodeTraces, encodeTraces } from '@throughline/otlp'

/** What is known of a process that died with spans open. */
export interface DeadProcess {
  readonly pid: number
  readonly host: string
  /** `released`: it ended in order, and said how. */
  readonly ending: 'died' | 'released' | 'silent'
  readonly reason: string | undefined
  /** The last moment at which it was seen alive. */
  readonly lastSeenMs: number
}

export interface InterruptedRequest {
  readonly payload: Uint8Array
  readonly itemCount: number
}

const statusError = 2

/**
 * Makes interrupted spans of a snapshot of open ones: they end when their process was last seen alive, with its death as the
 * reason. Undefined for bytes that are no request with spans.
 */
export function interruptedRequest(
  snapshot: Uint8Array,
  process: DeadProcess,
): InterruptedRequest | undefined {
  const { value } = decodeTraces(snapshot)
  if (value === undefined) return undefined
  const reason = reasonOf(process)
  const endUnixNano = BigInt(Math.round(process.lastSeenMs)) * 1_000_000n
  let itemCount = 0
  const resourceSpans = value.resourceSpans.map((ofResource) => ({
    ...ofResource,
    scopeSpans: ofResource.scopeSpans.map((ofScope) => {
      itemCount += ofScope.spans.length
      return { ...ofScope, spans: ofScope.spans.map((span) => interrupted(span, { reason, endUnixNano })) }
    }),
  }))
  return itemCount === 0 ? undefined : { payload: encodeTraces({ resourceSpans }), itemCount }
}

function reasonOf({ pid, host, ending, reason, lastSeenMs }: DeadProcess): string {
  const process = `process ${pid} on ${host}`
  const lastSeen = `last seen ${new Date(lastSeenMs).toISOString()}`
  if (ending === 'released') return `${process} ended${reason === undefined ? '' : `: ${reason}`}`
  return ending === 'died'
    ? `${process} was killed or crashed, ${lastSeen}`
    : `${process} is silent, ${lastSeen}`
}

function interrupted(
  span: DecodedSpan,
  end: { readonly reason: string; readonly endUnixNano: bigint },
): DecodedSpan {
  const added: readonly DecodedKeyValue[] = [
    { key: 'throughline.span.state', value: 'interrupted' },
    { key: 'throughline.span.interruption', value: end.reason },
  ]
  const keys = new Set(['throughline.span.open_ms', ...added.map(({ key }) => key)])
  const hasFailed = span.status.code === statusError && span.status.message !== ''
  return {
    ...span,
    endTimeUnixNano: latest(end.endUnixNano, span),
    attributes: [...span.attributes.filter(({ key }) => !keys.has(key)), ...added],
    status: hasFailed ? span.status : { code: statusError, message: end.reason },
  }
}

/** The clocks of disk and process may differ: a span does not end before its start, nor before what happened in it. */
function latest(endUnixNano: bigint, span: DecodedSpan): bigint {
  let latestNano = endUnixNano > span.startTimeUnixNano ? endUnixNano : span.startTimeUnixNano
  for (const { timeUnixNano } of span.events) if (timeUnixNano > latestNano) latestNano = timeUnixNano
  return latestNano
}
