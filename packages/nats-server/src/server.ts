import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { NatsServerError } from './errors.ts'
import { externalServer } from './external.ts'
import { checkOptions, configTextOf, type NatsServerOptions } from './options.ts'
import { type ServerProcess, startProcess } from './process.ts'
import { resolveNatsServer } from './resolve.ts'

/** A running nats-server. */
export interface NatsServer {
  /** For clients, without credentials, e.g. `nats://127.0.0.1:40123`. The same after restart(). */
  readonly url: string
  readonly host: string
  readonly port: number
  /** Of the child process; undefined while it is down, and for an external server. */
  readonly pid: number | undefined
  /** `http://host:port` of the monitoring endpoints, when asked for. */
  readonly monitoringUrl: string | undefined
  /** True when NATS_URL named a server that somebody else runs: stop() leaves it alone, the other methods reject. */
  readonly external: boolean
  /** Ends the server in an orderly way, by force after `stopTimeoutMs`. Resolves when the process is gone; idempotent. */
  stop(): Promise<void>
  /** Ends the server as a crash would (SIGKILL). restart() brings it back with what it had stored. */
  kill(): Promise<void>
  /** Stops the server if it runs, and starts it again on the same port and store. Resolves when it is ready. */
  restart(): Promise<void>
  /** Asks the server to move its clients away and then to end. Resolves when the process is gone. */
  lameDuck(): Promise<void>
  /** Resolves when the process has ended, for whatever reason; never for an external server. */
  exited(): Promise<void>
}

/**
 * Starts the real nats-server as a child process and resolves when it accepts clients, or connects to the one that
 * NATS_URL names. The child never outlives stop(), nor this process, however it dies.
 */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  checkOptions(options)
  const resolved = await resolveNatsServer(options)
  if (resolved.kind === 'external') return externalServer(resolved.url, options)
  const server = new ChildServer(resolved.path, options, await mkdtemp(join(tmpdir(), 'nats-server-')))
  await server.start().catch(async (error: unknown) => {
    await server.stop()
    throw error
  })
  return server
}

class ChildServer implements NatsServer {
  readonly host: string
  readonly external = false
  port: number
  #monitoringPort: number | undefined
  readonly #binary: string
  readonly #options: NatsServerOptions
  /** Holds the generated configuration, the ports file and, unless storeDir is given, JetStream's files. */
  readonly #workDir: string
  #process: ServerProcess | undefined

  constructor(binary: string, options: NatsServerOptions, workDir: string) {
    this.#binary = binary
    this.#options = options
    this.#workDir = workDir
    this.host = options.host ?? '127.0.0.1'
    this.port = options.port ?? 0
    this.#monitoringPort = options.monitoringPort
  }

  get url(): string {
    return `nats://${dialable(this.host)}:${this.port}`
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  get monitoringUrl(): string | undefined {
    return this.#monitoringPort === undefined
      ? undefined
      : `http://${dialable(this.host)}:${this.#monitoringPort}`
  }

  async start(): Promise<void> {
    const options = this.#options
    const configFile = options.config ?? join(this.#workDir, 'nats-server.conf')
    if (options.config === undefined) await writeFile(configFile, configTextOf(options), { mode: 0o600 })
    this.#process = await startProcess({
      binary: this.#binary,
      args: ['-c', configFile, ...this.#flags(), ...(options.args ?? [])],
      host: this.host,
      portsDir: this.#workDir,
      log: options.log,
      readyTimeoutMs: options.readyTimeoutMs ?? 10_000,
    })
    // A restarted server must be found where the first one was.
    this.port = this.#process.port
    if (this.#monitoringPort !== undefined) this.#monitoringPort = this.#process.monitoringPort
  }

  #flags(): string[] {
    const { jetstream, storeDir } = this.#options
    const flags = ['-a', this.host, '-p', portFlag(this.port), '--ports_file_dir', this.#workDir]
    if (this.#monitoringPort !== undefined) flags.push('-m', portFlag(this.#monitoringPort))
    if (storeDir !== undefined || jetstream === true) {
      flags.push('-js', '-sd', storeDir ?? join(this.#workDir, 'store'))
    }
    return flags
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
    await rm(this.#workDir, { recursive: true, force: true })
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  async restart(): Promise<void> {
    await this.#end('SIGTERM')
    await this.start()
  }

  async lameDuck(): Promise<void> {
    if (this.#process === undefined) throw new NatsServerError('start_failed', 'nats-server is not running')
    this.#process.signal('SIGUSR2')
    await this.#process.exited
    this.#process = undefined
  }

  async exited(): Promise<void> {
    await this.#process?.exited
  }

  async #end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#process?.end(signal, this.#options.stopTimeoutMs ?? 5_000)
    this.#process = undefined
  }
}

/** An address that clients can dial, for one to listen on. */
function dialable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host.includes(':') ? `[${host === '::' ? '::1' : host}]` : host
}

/** nats-server chooses a free port for -1. */
function portFlag(port: number): string {
  return String(port === 0 ? -1 : port)
}
