import type { DuckDBConnection } from '@duckdb/node-api'
import { limits } from '../limits.ts'
import type { Source } from '../model.ts'
import type { RetentionLimits, RetentionResult, TelemetryBatch } from '../store.ts'
import { deleteOld } from './retention.ts'
import { attributesToJson, ChunkBuffer, logRow, spanRow } from './rows.ts'
import { logColumns, sourceColumns, spanColumns } from './schema.ts'

interface Waiting {
  readonly batch: TelemetryBatch
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** Rows of one transaction: large enough to share its fsync, small enough not to hold the event loop for long. */
const transactionRowsMax = 16_384

/**
 * Group commit: batches that arrive while a transaction is under way share the next one. A lone sender so waits for one
 * commit, and a hundred senders wait for one commit too. Everything that writes goes through here, one after the other.
 */
export class DuckDbWriter {
  readonly #connection: DuckDBConnection
  readonly #nowMs: () => number
  #sourceIds = new Map<string, number>()
  #sourceIdByObject = new WeakMap<Source, number>()
  #nextSourceId: number
  #waiting: Waiting[] = []
  #tail: Promise<unknown> = Promise.resolve()
  #scheduled = false

  constructor(connection: DuckDBConnection, options: { nextSourceId: number; nowMs: () => number }) {
    this.#connection = connection
    this.#nextSourceId = options.nextSourceId
    this.#nowMs = options.nowMs
  }

  append(batch: TelemetryBatch): Promise<void> {
    if (batch.spans.length === 0 && batch.logs.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject })
      this.#schedule()
    })
  }

  applyRetention(retention: RetentionLimits): Promise<RetentionResult> {
    return this.#enqueue(async () => {
      const result = await this.#inTransaction(() => deleteOld(this.#connection, retention))
      if (result.deletedSpansCount + result.deletedLogsCount > 0) {
        this.#forgetSources()
        await this.#connection.run('CHECKPOINT')
      }
      return result
    })
  }

  /** Resolves when all that was handed over so far is committed, or its promise rejected. */
  async idle(): Promise<void> {
    while (this.#waiting.length > 0 || this.#scheduled) await this.#tail
    await this.#tail
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    void this.#enqueue(async () => {
      this.#scheduled = false
      await this.#commitWaiting()
      if (this.#waiting.length > 0) this.#schedule()
    })
  }

  /** A failed step fails its own promise and lets the next one run. */
  #enqueue<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(step)
    this.#tail = result.catch(() => undefined)
    return result
  }

  async #commitWaiting(): Promise<void> {
    const group = this.#takeGroup()
    try {
      await this.#inTransaction(() => this.#write(group))
      for (const { resolve } of group) resolve()
    } catch (error) {
      this.#forgetSources()
      for (const { reject } of group) reject(error)
    }
  }

  #takeGroup(): readonly Waiting[] {
    let rowCount = 0
    let taken = 0
    for (const { batch } of this.#waiting) {
      if (taken > 0 && rowCount + batch.spans.length + batch.logs.length > transactionRowsMax) break
      rowCount += batch.spans.length + batch.logs.length
      taken++
    }
    return this.#waiting.splice(0, taken)
  }

  async #inTransaction<T>(work: () => Promise<T>): Promise<T> {
    await this.#connection.run('BEGIN')
    try {
      const result = await work()
      await this.#connection.run('COMMIT')
      return result
    } catch (error) {
      // After some failures DuckDB has already rolled back, and says so with an error that hides the first one.
      await this.#connection.run('ROLLBACK').catch(() => undefined)
      throw error
    }
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const receivedMs = BigInt(this.#nowMs())
    const spans = new ChunkBuffer(spanColumns)
    const logs = new ChunkBuffer(logColumns)
    const sources = new ChunkBuffer(sourceColumns)
    for (const { batch } of group) {
      for (const span of batch.spans)
        spans.add(spanRow(span, this.#sourceId(span.source, sources), receivedMs))
      for (const log of batch.logs) logs.add(logRow(log, this.#sourceId(log.source, sources), receivedMs))
    }
    await this.#appendTo('spans', spans)
    await this.#appendTo('logs', logs)
    await this.#appendTo('sources', sources)
  }

  async #appendTo(table: string, buffer: ChunkBuffer): Promise<void> {
    const chunks = buffer.chunks()
    if (chunks.length === 0) return
    const appender = await this.#connection.createAppender(table)
    for (const chunk of chunks) appender.appendDataChunk(chunk)
    appender.closeSync()
  }

  #sourceId(source: Source, buffer: ChunkBuffer): number {
    const known = this.#sourceIdByObject.get(source)
    if (known !== undefined) return known
    const row = [
      source.service,
      attributesToJson(source.resource),
      source.scopeName,
      source.scopeVersion,
      attributesToJson(source.scopeAttributes),
    ]
    const key = row.join('\0')
    let id = this.#sourceIds.get(key)
    if (id === undefined) {
      if (this.#sourceIds.size >= limits.rememberedSourcesMax) this.#forgetSources()
      id = this.#nextSourceId++
      buffer.add([id, ...row])
      this.#sourceIds.set(key, id)
    }
    this.#sourceIdByObject.set(source, id)
    return id
  }

  /** A forgotten source is written again under a new id, which costs a row and is right. */
  #forgetSources(): void {
    this.#sourceIds = new Map()
    this.#sourceIdByObject = new WeakMap()
  }
}
