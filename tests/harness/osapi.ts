import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Environment, type Finished, inRepository, Running, runNode } from './processes.ts'

const bin = inRepository('apps/osapi/dist/bin.js')

/** Runs the `osapi` executable to its end. */
export function osapi(args: readonly string[], env: Environment = {}): Promise<Finished> {
  return runNode([bin, ...args], env)
}

export interface SceneOptions {
  /** `telemetry.tracing` of the configuration file; without it the file has no telemetry section. */
  readonly tracing?: Readonly<Record<string, unknown>>
  /** Flags of every long-running process, e.g. `--debug`. */
  readonly flags?: readonly string[]
  /** Environment of every long-running process. */
  readonly env?: Environment
  /** Settings of single keys for all processes, e.g. `{ 'nats.registry.ttl': '2s' }`. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface WorkerOptions {
  /** Hostname and machine id at once. */
  readonly name: string
  readonly env?: Environment
}

export interface ApiRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Default: that of the last API server. */
  readonly port?: number
}

/** OSAPI as its users run it: nats server, API server and workers as processes of their own, each with a log file. */
export class Scene {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'osapi-scene-'))
  readonly configPath: string = join(this.dir, 'osapi.yaml')
  readonly #options: SceneOptions
  readonly #signingKey = randomBytes(32).toString('hex')
  readonly #started: Running[] = []
  #nats: Running | undefined
  natsPort = 0
  apiPort = 0
  token = 'none yet'

  private constructor(options: SceneOptions) {
    this.#options = options
  }

  /** Starts the nats server and makes a token; APIs and workers are started by their own calls. */
  static async start(options: SceneOptions = {}): Promise<Scene> {
    const scene = new Scene(options)
    try {
      scene.#writeConfig()
      const [token] = await Promise.all([scene.#newToken(), scene.startNats()])
      scene.token = token
      scene.#writeConfig()
      return scene
    } catch (error) {
      await scene.stop()
      throw error
    }
  }

  /** A scene with one API server and one worker. */
  static async startWhole(options: SceneOptions = {}): Promise<Scene & { api: Running; worker: Running }> {
    const scene = await Scene.start(options)
    try {
      const api = await scene.startApi()
      const worker = await scene.startWorker({ name: 'web-01' })
      return Object.assign(scene, { api, worker })
    } catch (error) {
      await scene.stop()
      throw error
    }
  }

  get nats(): Running {
    if (this.#nats === undefined) throw new Error('no nats server was started')
    return this.#nats
  }

  /** Starts the nats server, after a kill again on the same port. */
  async startNats(): Promise<Running> {
    const nats = this.#start('nats', ['nats', 'server', 'start'], {})
    this.#nats = nats
    const [, port] = await nats.logged(/nats server listening .*url=nats:\/\/127\.0\.0\.1:(\d+)/u)
    this.natsPort = Number(port)
    this.#writeConfig()
    return nats
  }

  /** The last API server that was started is the one that the CLI talks to. */
  async startApi(name = 'api', env: Environment = {}): Promise<Running> {
    const api = this.#start(name, ['api', 'server', 'start'], env)
    const [, port] = await api.logged(/api server listening port=(\d+)/u)
    this.apiPort = Number(port)
    this.#writeConfig()
    await api.logged(/api server started successfully/u)
    return api
  }

  async startWorker({ name, env }: WorkerOptions): Promise<Running> {
    const identity = { OSAPI_AGENT_HOSTNAME: name, OSAPI_AGENT_MACHINE_ID: name }
    const worker = this.#start(name, ['job', 'worker', 'start'], { ...identity, ...env })
    await worker.logged(/node agent started successfully/u)
    return worker
  }

  /** A command of the CLI, with the scene's configuration file. */
  cli(args: readonly string[], env: Environment = {}): Promise<Finished> {
    // What a test looks at has arrived when the command is over, and nothing is left in the user's folders.
    const now = { OSAPI_TELEMETRY_TRACING_SPOOL_DIR: 'off' }
    return osapi([...args, '-f', this.configPath], { ...this.#settings(), ...now, ...env })
  }

  /** A request to the API without any of our code in the client. */
  async request(path: string, init: ApiRequest = {}): Promise<Response> {
    const { port = this.apiPort, method = 'GET', body } = init
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    return await fetch(`http://127.0.0.1:${port}/api${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, ...type, ...init.headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  }

  async stop(): Promise<void> {
    // The nats server is first in the list and everybody's base.
    for (const running of this.#started.toReversed()) if (running !== this.#nats) await running.stop()
    await this.#nats?.stop()
    rmSync(this.dir, { recursive: true, force: true })
  }

  #start(name: string, args: readonly string[], env: Environment): Running {
    const { flags = [], env: everybody } = this.#options
    const running = new Running([bin, ...args, ...flags, '-f', this.configPath], {
      logPath: join(this.dir, `${name}.log`),
      env: { ...this.#settings(), ...everybody, ...env },
    })
    this.#started.push(running)
    return running
  }

  #settings(): Environment {
    const entries = Object.entries(this.#options.settings ?? {})
    return Object.fromEntries(
      entries.map(([key, value]) => [`OSAPI_${key.replaceAll('.', '_').toUpperCase()}`, value]),
    )
  }

  async #newToken(): Promise<string> {
    const args = ['token', 'generate', '--roles', 'admin', '--subject', 'tester', '--json']
    const { stdout, stderr } = await this.cli(args)
    const token = /eyJ[\w-]+\.[\w-]+\.[\w-]+/u.exec(stdout)?.[0]
    if (token === undefined) throw new Error(`no token: ${stderr}`)
    return token
  }

  #writeConfig(): void {
    const port = this.natsPort || 4222
    const nats = { host: '127.0.0.1', port }
    const noMetrics = { enabled: false }
    const config = {
      controller: {
        client: {
          url: `http://127.0.0.1:${this.apiPort || 8080}`,
          security: { bearer_token: this.token },
        },
        api: { port: 0, security: { signing_key: this.#signingKey } },
        nats,
        metrics: noMetrics,
      },
      nats: {
        server: {
          host: '127.0.0.1',
          port: this.natsPort,
          store_dir: join(this.dir, 'jetstream'),
          metrics: noMetrics,
        },
      },
      agent: { nats, metrics: noMetrics },
      ...(this.#options.tracing !== undefined && { telemetry: { tracing: this.#options.tracing } }),
    }
    // JSON is YAML.
    writeFileSync(this.configPath, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
  }
}
