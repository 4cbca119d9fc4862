import type { FastifyInstance } from 'fastify'
import { createApi } from './api/server.ts'
import { openDuckDbStore } from './duckdb/store.ts'
import { LensError } from './errors.ts'
import { limits } from './limits.ts'
import { authority, type ListenTarget, listenError, portOf } from './listen.ts'
import { queryEngine } from './query/query-engine.ts'
import { startGrpcReceiver } from './receiver/grpc.ts'
import { type Receiver, startHttpReceiver } from './receiver/http.ts'
import { Ingest } from './receiver/ingest.ts'
import type { TraceStore } from './store.ts'

/** What `startLens` takes; all optional. */
export interface LensOptions {
  /** OTLP/gRPC. Default 4317; 0 takes any free port, as with the other two. */
  readonly otlpGrpcPort?: number
  /** OTLP/HTTP. Default 4318. */
  readonly otlpHttpPort?: number
  /** Page and API. Default 4319. */
  readonly port?: number
  /** Where all three listen. Default 127.0.0.1. Lens has no access control: on another address everybody there can read. */
  readonly host?: string
  /** A directory for the data, or `:memory:`. Default `:memory:`. */
  readonly dataDir?: string
  /** How long data is kept after it has arrived. Default 72. */
  readonly retentionHours?: number
  /** How many uncompressed bytes are kept, the newest. Default 4 GiB. */
  readonly retentionBytesMax?: number
}

/** A running Lens. */
export interface Lens {
  /** Where OTLP/gRPC listens. */
  readonly grpcPort: number
  /** Where OTLP/HTTP listens. */
  readonly httpPort: number
  /** The page, without a slash at its end; the API is below it. */
  readonly url: string
  /** Takes no more, answers what is under way, and closes the store with everything written. May be called twice. */
  stop(): Promise<void>
}

/** See start-lens.ts. */
export async function startLens(options: LensOptions): Promise<Lens> {
  const settings = { ...defaults, ...options }
  assertSettings(settings)
  const store = await openDuckDbStore({ dataDir: settings.dataDir })
  const started: (() => Promise<unknown>)[] = [() => store.close()]
  const stopAll = async (): Promise<void> => {
    for (const stop of started.toReversed()) await stop()
  }
  try {
    const ingest = new Ingest(store)
    const api = createApi({
      engine: queryEngine(store),
      host: settings.host,
      health: () => ({ status: 'ok', ...ingest.counters }),
    })
    const grpc = await startGrpcReceiver(ingest, target(settings, 'otlpGrpcPort'))
    started.push(() => grpc.stop())
    const http: Receiver = await startHttpReceiver(ingest, target(settings, 'otlpHttpPort'))
    started.push(() => http.stop())
    started.push(() => api.close())
    const url = await listenApi(api, target(settings, 'port'))
    started.push(startRetention(store, settings))
    let stopping: Promise<void> | undefined
    const stop = (): Promise<void> => (stopping ??= stopAll())
    return { grpcPort: grpc.port, httpPort: http.port, url, stop }
  } catch (error) {
    await stopAll()
    throw error
  }
}

const defaults = {
  otlpGrpcPort: 4317,
  otlpHttpPort: 4318,
  port: 4319,
  host: '127.0.0.1',
  dataDir: ':memory:',
  retentionHours: limits.retentionHours,
  retentionBytesMax: limits.retentionBytesMax,
} as const satisfies Required<LensOptions>

type Settings = Required<LensOptions>
type PortOption = 'otlpGrpcPort' | 'otlpHttpPort' | 'port'

const ports: Readonly<Record<PortOption, { readonly what: string; readonly flag: string }>> = {
  otlpGrpcPort: { what: 'OTLP/gRPC', flag: '--otlp-grpc-port' },
  otlpHttpPort: { what: 'OTLP/HTTP', flag: '--otlp-http-port' },
  port: { what: 'page and API', flag: '--port' },
}

const target = (settings: Settings, option: PortOption): ListenTarget => ({
  ...ports[option],
  option,
  host: settings.host,
  port: settings[option],
})

function assertSettings(settings: Settings): void {
  for (const option of ['otlpGrpcPort', 'otlpHttpPort', 'port'] as const)
    assertOption(settings, { option, allowed: 'a whole number from 0 to 65535', holds: isPort })
  for (const option of ['retentionHours', 'retentionBytesMax'] as const)
    assertOption(settings, { option, allowed: 'a number above 0', holds: isPositive })
  for (const option of ['host', 'dataDir'] as const)
    assertOption(settings, { option, allowed: 'text that is not empty', holds: isText })
}

const isPort = (value: unknown): boolean =>
  Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65535
const isPositive = (value: unknown): boolean =>
  typeof value === 'number' && Number.isFinite(value) && value > 0
const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''

function assertOption(
  settings: Settings,
  rule: {
    readonly option: keyof Settings
    readonly allowed: string
    readonly holds: (value: unknown) => boolean
  },
): void {
  const value = settings[rule.option]
  if (!rule.holds(value))
    throw new LensError(
      'invalid_option',
      `${rule.option} is ${JSON.stringify(value)}; allowed: ${rule.allowed}.`,
    )
}

async function listenApi(api: FastifyInstance, at: ListenTarget): Promise<string> {
  try {
    await api.listen({ host: at.host, port: at.port })
  } catch (error) {
    throw listenError(at, error)
  }
  return `http://${authority(at.host, portOf(api.server.address()))}`
}

function startRetention(store: TraceStore, settings: Settings): () => Promise<void> {
  let running: Promise<unknown> = Promise.resolve()
  const run = (): void => {
    const retention = { nowMs: Date.now(), ageMsMax: settings.retentionHours * 3_600_000 }
    running = store
      .applyRetention({ ...retention, bytesMax: settings.retentionBytesMax })
      .catch((error: unknown) => console.error('throughline lens: could not delete old data:', error))
  }
  run()
  const timer = setInterval(run, limits.retentionIntervalMs)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await running
  }
}
