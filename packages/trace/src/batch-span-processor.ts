import { context as contextApi } from '@opentelemetry/api'
import { rootContext, suppressTracing } from './context.ts'
import { Diagnostics } from './diagnostics.ts'
import { sampledFlag } from './identified-span.ts'
import type { ReadableSpan, SpanExporter, SpanProcessor } from './span-processor.ts'
import { invalidOption } from './trace-error.ts'

/** OpenTelemetry's batch options. https://opentelemetry.io/docs/specs/otel/trace/sdk/#batching-processor */
export interface BatchSpanProcessorOptions {
  /** Spans that may wait; those beyond are dropped and counted. Default 2048. */
  readonly maxQueueSize?: number
  /** Spans per export. Default 512. */
  readonly maxExportBatchSize?: number
  /** How long a span waits for a full batch. Default 5000. */
  readonly scheduledDelayMillis?: number
  /** How long an export may take until it counts as failed. Default 30000. */
  readonly exportTimeoutMillis?: number
}

/** Every span that ended is in exactly one of these. */
export interface BatchCounts {
  exported: number
  pending: number
  droppedByFullQueue: number
  droppedByFailedExport: number
  droppedAfterShutdown: number
}

/** A span processor with a look at what became of the spans. */
export interface BatchSpanProcessor extends SpanProcessor {
  counts(): Readonly<BatchCounts>
}

/**
 * Batches ended spans for a third-party exporter. One export runs at a time, in a context in which nothing is traced; an
 * exporter that throws, fails or never answers costs its batch and nothing more. Timers do not keep the process alive.
 * Wrong options throw a TraceError.
 */
export function batchSpanProcessor(
  exporter: SpanExporter,
  options: BatchSpanProcessorOptions = {},
): BatchSpanProcessor {
  return new Batcher(exporter, {
    maxQueueSize: atLeastOne(options, 'maxQueueSize', 2048),
    maxExportBatchSize: atLeastOne(options, 'maxExportBatchSize', 512),
    scheduledDelayMillis: atLeastOne(options, 'scheduledDelayMillis', 5000),
    exportTimeoutMillis: atLeastOne(options, 'exportTimeoutMillis', 30_000),
  })
}

function atLeastOne(
  options: BatchSpanProcessorOptions,
  name: keyof BatchSpanProcessorOptions,
  defaultValue: number,
): number {
  const value = options[name] ?? defaultValue
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw invalidOption(`batchSpanProcessor ${name}`, value, 'a whole number of 1 or more')
}

class Batcher implements BatchSpanProcessor {
  readonly #exporter: SpanExporter
  readonly #options: Required<BatchSpanProcessorOptions>
  readonly #diagnostics = new Diagnostics()
  readonly #counts: BatchCounts = {
    exported: 0,
    pending: 0,
    droppedByFullQueue: 0,
    droppedByFailedExport: 0,
    droppedAfterShutdown: 0,
  }
  #queue: ReadableSpan[] = []
  #timer: NodeJS.Timeout | undefined
  /** The exports so far; the next one waits for it. */
  #exports: Promise<void> = Promise.resolve()
  #shutdown: Promise<void> | undefined

  constructor(exporter: SpanExporter, options: Required<BatchSpanProcessorOptions>) {
    this.#exporter = exporter
    this.#options = options
  }

  counts(): Readonly<BatchCounts> {
    return { ...this.#counts }
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & sampledFlag) === 0) return
    if (this.#shutdown !== undefined) {
      this.#counts.droppedAfterShutdown += 1
      return
    }
    if (this.#counts.pending >= this.#options.maxQueueSize) {
      this.#counts.droppedByFullQueue += 1
      this.#diagnostics.warn('queue', 'the span queue is full: spans are dropped')
      return
    }
    this.#counts.pending += 1
    this.#queue.push(span)
    if (this.#queue.length >= this.#options.maxExportBatchSize) this.#exportBatch()
    else this.#timer ??= setTimeout(() => this.#exportBatch(), this.#options.scheduledDelayMillis).unref()
  }

  async forceFlush(): Promise<void> {
    this.#exportBatch()
    await this.#exports
    await this.#exporter.forceFlush?.()
  }

  shutdown(): Promise<void> {
    this.#shutdown ??= this.#shutDown()
    return this.#shutdown
  }

  async #shutDown(): Promise<void> {
    this.#exportBatch()
    await this.#exports
    await this.#exporter.shutdown()
  }

  #exportBatch(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#queue.length === 0) return
    const batch = this.#queue
    this.#queue = []
    this.#exports = this.#exports.then(() => this.#export(batch))
  }

  /** Resolves when the batch is exported or given up; never rejects. */
  async #export(batch: ReadableSpan[]): Promise<void> {
    const failure = await contextApi.with(suppressTracing(rootContext), () => this.#callExporter(batch))
    this.#counts.pending -= batch.length
    if (failure === undefined) {
      this.#counts.exported += batch.length
      return
    }
    this.#counts.droppedByFailedExport += batch.length
    this.#diagnostics.warn('export', `an export failed: ${batch.length} spans are dropped`, failure.cause)
  }

  #callExporter(batch: ReadableSpan[]): Promise<{ readonly cause: unknown } | undefined> {
    return new Promise((resolve) => {
      const { exportTimeoutMillis } = this.#options
      const timer = setTimeout(
        () => resolve({ cause: new Error(`no answer within ${exportTimeoutMillis} ms`) }),
        exportTimeoutMillis,
      ).unref()
      try {
        const returned: unknown = this.#exporter.export(batch, (result) => {
          clearTimeout(timer)
          resolve(result?.code === 0 ? undefined : { cause: result?.error })
        })
        // An exporter written as an async function rejects where the interface expects a call back.
        if (returned instanceof Promise) returned.catch((error: unknown) => resolve({ cause: error }))
      } catch (error) {
        clearTimeout(timer)
        resolve({ cause: error })
      }
    })
  }
}
