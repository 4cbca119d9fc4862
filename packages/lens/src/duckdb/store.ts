import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { LensError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { TraceStore } from '../store.ts'
import { queryWithin, type ReadQuery } from './query-within.ts'
import { readServices, readSpan, readTrace, readTraces } from './reader.ts'
import { migrations, schemaStatements, schemaVersion } from './schema.ts'
import { DuckDbWriter } from './writer.ts'

export interface DuckDbStoreOptions {
  /** A directory, made if it is missing, that holds `lens.duckdb`; or `:memory:`. */
  readonly dataDir: string
  /** The clock for times of arrival. Default: Date.now. */
  readonly nowMs?: () => number
  readonly queryTimeoutMs?: number
}

/**
 * Opens the store of one machine: DuckDB in a file or in memory. Rejects with `store_locked` when another process has the
 * file open, and with `store_unreadable` when the directory or file cannot be used.
 */
export async function openDuckDbStore(options: DuckDbStoreOptions): Promise<TraceStore> {
  const path = options.dataDir === ':memory:' ? ':memory:' : prepareDirectory(options.dataDir)
  claim(path)
  try {
    const instance = await openInstance(path)
    try {
      return await storeOn(instance, { path, options })
    } catch (error) {
      instance.closeSync()
      throw error
    }
  } catch (error) {
    openPaths.delete(path)
    throw error
  }
}

/** DuckDB's file lock does not hold against the process that has it, so opening twice in one process is refused here. */
const openPaths = new Set<string>()

function claim(path: string): void {
  if (path === ':memory:') return
  if (openPaths.has(path)) throw lockedError(path)
  openPaths.add(path)
}

const lockedError = (path: string, cause?: unknown): LensError =>
  new LensError(
    'store_locked',
    `${path} is in use by another Lens. Stop that one, or choose another directory with --data-dir.`,
    { cause },
  )

function prepareDirectory(directory: string): string {
  try {
    mkdirSync(directory, { recursive: true })
    return join(realpathSync(directory), 'lens.duckdb')
  } catch (cause) {
    throw new LensError('store_unreadable', `cannot use the data directory ${directory}: ${textOf(cause)}`, {
      cause,
    })
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * What is in the log of changes is read again at the next start after a crash, in a second or two for this much. A smaller
 * log is folded into the tables more often, each time compressing the newest rows again.
 */
const walSizeMax = '128MB'

async function openInstance(path: string): Promise<DuckDBInstance> {
  try {
    return await DuckDBInstance.create(path, { checkpoint_threshold: walSizeMax })
  } catch (cause) {
    if (textOf(cause).includes('Conflicting lock') || textOf(cause).includes('Could not set lock'))
      throw lockedError(path, cause)
    throw new LensError('store_unreadable', `cannot open ${path}: ${textOf(cause)}`, { cause })
  }
}

async function storeOn(
  instance: DuckDBInstance,
  { path, options }: { path: string; options: DuckDbStoreOptions },
): Promise<TraceStore> {
  const connection = await instance.connect()
  for (const statement of schemaStatements) await connection.run(statement)
  await migrate(connection, path)
  const [maxId] = (await connection.runAndReadAll('SELECT max(id) FROM sources')).getRows()[0] ?? []
  const writer = new DuckDbWriter(connection, {
    nextSourceId: maxId === null || maxId === undefined ? 1 : Number(maxId) + 1,
    nowMs: options.nowMs ?? Date.now,
  })
  return new DuckDbStore({
    instance,
    connection,
    writer,
    path,
    queryTimeoutMs: options.queryTimeoutMs ?? limits.queryTimeoutMs,
  })
}

async function migrate(connection: DuckDBConnection, path: string): Promise<void> {
  const [version] = (await connection.runAndReadAll('SELECT version FROM lens_schema')).getRows()[0] ?? []
  if (version === schemaVersion) return
  const statements = typeof version === 'number' ? migrations[version] : undefined
  if (statements === undefined)
    throw new LensError(
      'store_unreadable',
      `${path} has format ${String(version)}, and this Lens reads format ${schemaVersion}. Choose another --data-dir.`,
    )
  const setVersion = `UPDATE lens_schema SET version = ${schemaVersion}`
  for (const statement of ['BEGIN', ...statements, setVersion, 'COMMIT']) await connection.run(statement)
}

interface Parts {
  readonly instance: DuckDBInstance
  readonly connection: DuckDBConnection
  readonly writer: DuckDbWriter
  readonly path: string
  readonly queryTimeoutMs: number
}

class DuckDbStore implements TraceStore {
  readonly #parts: Parts
  readonly #reads = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async append(batch: Parameters<TraceStore['append']>[0]): Promise<void> {
    this.#assertOpen()
    await this.#parts.writer.append(batch)
  }

  trace(...[traceId, query]: Parameters<TraceStore['trace']>): ReturnType<TraceStore['trace']> {
    return this.#read((connection) => readTrace(connection, traceId, query))
  }

  span(...[traceId, spanId]: Parameters<TraceStore['span']>): ReturnType<TraceStore['span']> {
    return this.#read((connection) => readSpan(connection, { traceId, spanId }))
  }

  traces(filter: Parameters<TraceStore['traces']>[0]): ReturnType<TraceStore['traces']> {
    return this.#read((connection) => readTraces(connection, filter))
  }

  services(): ReturnType<TraceStore['services']> {
    return this.#read(readServices)
  }

  async applyRetention(
    retention: Parameters<TraceStore['applyRetention']>[0],
  ): ReturnType<TraceStore['applyRetention']> {
    this.#assertOpen()
    return this.#parts.writer.applyRetention(retention)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.allSettled([this.#parts.writer.idle(), ...this.#reads])
    this.#parts.connection.disconnectSync()
    this.#parts.instance.closeSync()
    openPaths.delete(this.#parts.path)
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new LensError('store_closed', 'the store is closed')
  }

  async #read<T>(query: ReadQuery<T>): Promise<T> {
    this.#assertOpen()
    const { instance, queryTimeoutMs: timeoutMs } = this.#parts
    const reading = queryWithin(instance, { query, timeoutMs })
    this.#reads.add(reading)
    try {
      return await reading
    } finally {
      this.#reads.delete(reading)
    }
  }
}
