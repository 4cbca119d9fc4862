import type { SpanRecord } from '@throughline/otlp'
import type { OpenSpans } from '@throughline/trace'
import { ChunkExporter, type FlushOptions, type FlushResult } from './chunk-exporter.ts'
import { EndReasons } from './end-reason.ts'
import type { AdoptedLedger, Ledger } from './ledger.ts'
import type { OpenSpanConfig } from './open-span-options.ts'
import { OpenSpanWatch } from './open-span-watch.ts'
import type { ExporterSettings } from './options.ts'
import type { EndCause } from './process-end.ts'
import { spanSignal } from './signal.ts'

const lookIntervalMs = 1_000

/**
 * An exporter that knows of spans before they end: those that are open for long are kept in the spool, so that they are
 * known after a kill, and exported as pending where that is wanted; those that are open at the end of the process are
 * exported as interrupted, with the reason.
 */
export class OpenSpanExporter {
  readonly #exporter: ChunkExporter<SpanRecord>
  readonly #watch: OpenSpanWatch
  readonly #reasons = new EndReasons()
  readonly #timer: NodeJS.Timeout
  readonly #isSpooled: boolean
  readonly #isExported: boolean
  #shutdown: Promise<FlushResult> | undefined

  constructor(settings: ExporterSettings, config: OpenSpanConfig) {
    this.#isSpooled = settings.worker.spool !== undefined
    this.#isExported = config.isExported
    this.#watch = watchOf(config.list, { settings, afterMs: config.afterMs })
    this.#exporter = new ChunkExporter(
      spanSignal,
      { ...settings, onEnd: (cause) => this.#onProcessEnd(cause) },
      undefined,
      { beforePost: () => this.#postEnded(), onWorkerGone: () => this.#watch.reset() },
    )
    this.#timer = setInterval(() => this.#look(), lookIntervalMs).unref()
  }

  onEnd(span: SpanRecord): void {
    this.#watch.onEnd(span)
    this.#exporter.onEnd(span)
  }

  start(): void {
    this.#exporter.start()
  }

  ledger(): Ledger {
    return this.#exporter.ledger()
  }

  adopted(): AdoptedLedger {
    return this.#exporter.adopted()
  }

  forceFlush(options?: FlushOptions): Promise<FlushResult> {
    return this.#exporter.forceFlush(options)
  }

  /** What is open now ends here: nobody would take its end any more. */
  shutdown(options?: FlushOptions): Promise<FlushResult> {
    this.#shutdown ??= this.#shutDown(options)
    return this.#shutdown
  }

  #shutDown(options: FlushOptions | undefined): Promise<FlushResult> {
    clearInterval(this.#timer)
    this.#interruptAll(this.#reasons.reasonOfShutdown())
    this.#reasons.stop()
    return this.#exporter.shutdown(options)
  }

  #look(): void {
    const pass = this.#watch.look()
    if (pass === undefined) return
    if (this.#isSpooled) this.#exporter.post({ kind: 'open-spans', snapshots: pass.snapshots })
    if (this.#isExported) this.#exporter.post({ kind: 'pending-spans', bytes: pass.request })
  }

  /** Before the chunk with the ends of these spans: a span whose end was delivered must not be found open after a crash. */
  #postEnded(): void {
    const openIds = this.#watch.takeEndedIds()
    if (openIds.length > 0 && this.#isSpooled) this.#exporter.post({ kind: 'spans-ended', openIds })
  }

  #onProcessEnd(cause: EndCause): void {
    const reason = this.#reasons.reasonOf(cause)
    if (cause.kind === 'exit' || cause.isFatal) this.#interruptAll(reason)
  }

  #interruptAll(reason: string): void {
    this.#watch.interruptAll(reason, (span) => this.#exporter.onEnd(span))
  }
}

function watchOf(
  openSpans: OpenSpans,
  { settings, afterMs }: { readonly settings: ExporterSettings; readonly afterMs: number },
): OpenSpanWatch {
  const { resource, clock } = settings
  const originMs = Number(clock.originUnixNano / 1_000n) / 1_000
  return new OpenSpanWatch({
    openSpans,
    resource,
    originUnixNano: clock.originUnixNano,
    afterMs,
    nowMs: () => Date.now() - originMs,
  })
}
