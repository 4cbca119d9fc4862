import { type ChunkEncoderOptions, SpanChunkEncoder, type SpanRecord } from '@throughline/otlp'
import { type OpenSpans, snapshotOf, spanInterruptionKey, spanStateKey } from '@throughline/trace'
import type { OpenSpanSnapshot } from './messages.ts'

/** Encoded spans of one pass; what is more has to wait for the next. */
const passSizeBytesMax = 256 * 1024
/**
 * A span that has not changed is told of again when it is twice as old as last time, and at the latest after this: a snapshot
 * keeps the whole segment of the spool in which it stands.
 */
const refreshMsMax = 60_000

export interface OpenSpanWatchOptions {
  readonly openSpans: OpenSpans
  readonly resource: ChunkEncoderOptions['resource']
  readonly originUnixNano: bigint
  /** How long a span has to be open to be told of. */
  readonly afterMs: number
  /** Milliseconds since the origin, as spans count. */
  readonly nowMs: () => number
}

/** What one look at the open spans brings. */
export interface OpenSpanPass {
  readonly snapshots: readonly OpenSpanSnapshot[]
  /** The same spans as one export request. */
  readonly request: Uint8Array
}

interface Seen {
  /** Names the span's snapshot between the threads. */
  readonly openId: number
  revision: number
  name: string
  ageMs: number
}

interface SeenSpan {
  readonly span: SpanRecord
  readonly seen: Seen
}

/**
 * Looks for spans that have been open for long and encodes what is known of them so far, so that somebody knows of them
 * when this process is killed. A look costs at most one chunk; an unchanged span costs a comparison.
 */
export class OpenSpanWatch {
  readonly #options: OpenSpanWatchOptions
  readonly #encoder: SpanChunkEncoder
  #buffer = new ArrayBuffer(0)
  #seen = new Map<object, Seen>()
  #endedIds: number[] = []
  #lastOpenId = 0

  constructor(options: OpenSpanWatchOptions) {
    this.#options = options
    const { resource, originUnixNano } = options
    this.#encoder = new SpanChunkEncoder({
      resource: resource ?? {},
      originUnixNano,
      chunkSizeBytes: 16 * 1024,
      chunkSizeBytesMax: passSizeBytesMax,
    })
  }

  /** Spans of which a snapshot was made and that have not ended. */
  get seenCount(): number {
    return this.#seen.size
  }

  /** To be called about once a second. Undefined when there is nothing new to tell. */
  look(): OpenSpanPass | undefined {
    const { openSpans, afterMs, nowMs } = this.#options
    if (openSpans.count === 0 && this.#seen.size === 0) return undefined
    const atMs = nowMs()
    const pass = new Pass()
    // Spans that fell out of the list without an end must not stay here.
    const seen = new Map<object, Seen>()
    const changed: SeenSpan[] = []
    openSpans.forEach(atMs - afterMs, (span) => {
      const known = this.#seen.get(span)
      if (known !== undefined) {
        seen.set(span, known)
        if (isDue(span, known, atMs)) changed.push({ span, seen: known })
      } else if (pass.hasRoom) {
        const fresh: Seen = { openId: ++this.#lastOpenId, revision: 0, name: '', ageMs: 0 }
        seen.set(span, fresh)
        this.#tell(span, { seen: fresh, atMs, pass })
      }
      return true
    })
    for (const [span, { openId }] of this.#seen) if (!seen.has(span)) this.#endedIds.push(openId)
    this.#seen = seen
    // The one that has waited longest is first, or a few busy spans would take all the room each time.
    changed.sort((a, b) => toldAtMs(a) - toldAtMs(b))
    for (const { span, seen: known } of changed)
      if (pass.hasRoom) this.#tell(span, { seen: known, atMs, pass })
    return pass.result()
  }

  /** A span has ended: its snapshot is out of date. Almost always there is none, and this costs one look-up. */
  onEnd(span: object): void {
    if (this.#seen.size === 0) return
    const seen = this.#seen.get(span)
    if (seen === undefined) return
    this.#seen.delete(span)
    this.#endedIds.push(seen.openId)
  }

  /** The snapshots that are out of date since the last call. */
  takeEndedIds(): readonly number[] {
    const ids = this.#endedIds
    if (ids.length > 0) this.#endedIds = []
    return ids
  }

  /**
   * The process is about to die: gives a copy of each open span to `take`, ended by that. The spans themselves go on, for
   * those that do end in the rest of the process's life.
   */
  interruptAll(reason: string, take: (span: SpanRecord) => void): void {
    const endTimeMs = this.#options.nowMs()
    const flatAttributes = [spanStateKey, 'interrupted', spanInterruptionKey, reason]
    this.#options.openSpans.forEach(Number.POSITIVE_INFINITY, (span) => {
      this.onEnd(span)
      take(snapshotOf(span, { flatAttributes, endTimeMs, error: reason }))
      return true
    })
  }

  /** Whoever kept the snapshots is gone: all are made anew. */
  reset(): void {
    this.#seen.clear()
    this.#endedIds = []
  }

  #tell(
    span: SpanRecord,
    { seen, atMs, pass }: { readonly seen: Seen; readonly atMs: number; readonly pass: Pass },
  ): void {
    const openMs = atMs - span.startTimeMs
    seen.revision = revisionOf(span)
    seen.name = span.name
    seen.ageMs = openMs
    const copy = snapshotOf(span, { flatAttributes: [spanStateKey, 'pending', openMsKey, openMs] })
    if (this.#buffer.byteLength > 0) this.#encoder.attach(this.#buffer)
    // One that is too large even alone stays untold.
    if (this.#encoder.add(copy) !== 'ok') return
    const bytes = this.#encoder.finish()
    pass.add(seen.openId, bytes.slice())
    this.#buffer = bytes.buffer as ArrayBuffer // The encoder's own, never a shared one.
  }
}

/** How long a pending span had been open when it was told of. */
const openMsKey = 'throughline.span.open_ms'

class Pass {
  readonly #snapshots: OpenSpanSnapshot[] = []
  #sizeBytes = 0

  get hasRoom(): boolean {
    return this.#sizeBytes < passSizeBytesMax
  }

  add(openId: number, bytes: Uint8Array): void {
    this.#snapshots.push({ openId, bytes })
    this.#sizeBytes += bytes.length
  }

  result(): OpenSpanPass | undefined {
    if (this.#snapshots.length === 0) return undefined
    return { snapshots: this.#snapshots, request: Buffer.concat(this.#snapshots.map(({ bytes }) => bytes)) }
  }
}

const toldAtMs = ({ span, seen }: SeenSpan): number => span.startTimeMs + seen.ageMs

function isDue(span: SpanRecord, seen: Seen, atMs: number): boolean {
  if (revisionOf(span) !== seen.revision || span.name !== seen.name) return true
  const sinceMs = atMs - span.startTimeMs - seen.ageMs
  return sinceMs >= Math.min(Math.max(seen.ageMs, 1_000), refreshMsMax)
}

/** Changes with whatever is added to a span. Another value for the same key waits for the span's age to double. */
function revisionOf(span: SpanRecord): number {
  return (
    span.flatAttributes.length +
    1_000 * ((span.eventRecords?.length ?? 0) + span.droppedEventsCount) +
    1_000_000_000 * ((span.linkRecords?.length ?? 0) + span.droppedLinksCount) +
    1_000_000_000_000 * span.statusCode
  )
}
