import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type NatsServer, startNatsServer } from '@throughline/nats-server'
import { type Agent, startAgent } from '../agent/agent.ts'
import { type Config, loadConfig } from '../config/index.ts'
import { type Bus, connectBus } from '../job/bus.ts'
import type { AgentRegistry, JobClient } from '../job/client.ts'
import { Janitor } from '../job/janitor.ts'
import type { JobResponse } from '../job/model.ts'
import { createJobClient } from '../job/nats-client.ts'
import { createAgentRegistry } from '../job/nats-registry.ts'
import { ResponseWatch } from '../job/response-watch.ts'
import { JobStore } from '../job/store.ts'
import { createLogger, type Logger } from '../logger.ts'
import type { System } from '../provider/index.ts'

/** Settings by dotted key, as flags give them. */
export type Settings = Readonly<Record<string, unknown>>

/** Times of a few hundred ms where the real system has half a minute. */
const quick: Settings = {
  'nats.registry.ttl': '1200ms',
  'agent.consumer.back_off': '600ms,600ms,600ms,600ms',
  'controller.api.job_timeout': '10s',
}

/** A real nats-server, the API's side of the job system, and as many workers as a test wants. */
export class World {
  readonly server: NatsServer
  readonly dir: string
  readonly logs: string[] = []
  readonly bus: Bus
  readonly jobs: JobClient
  readonly agents: AgentRegistry
  readonly store: JobStore
  readonly #settings: Settings
  readonly #ends: (() => Promise<unknown> | void)[]

  static async start(settings: Settings = {}): Promise<World> {
    const dir = await mkdtemp(join(tmpdir(), 'osapi-'))
    const server = await startNatsServer({
      storeDir: join(dir, 'jetstream'),
      env: { PATH: process.env['PATH'] },
    })
    const world = { server, dir, settings: { ...quick, ...settings } }
    const logs: string[] = []
    const config = configOf(world, {})
    const logger = createLogger({ json: true, debug: true, write: (line) => logs.push(line) })
    const bus = await connectBus({ connection: config.controller.nats, config: config.nats, logger })
    const store = new JobStore({ kv: bus.jobs, jsm: bus.jsm, bucket: bus.names.jobsBucket })
    const agents = createAgentRegistry(bus)
    const responses = new ResponseWatch({ bus, store, logger })
    const janitor = new Janitor({ bus, store, agents, responses, logger, intervalMs: 400 })
    const timeoutMs = config.controller.api.job_timeout
    const jobs = createJobClient({ bus, store, agents, responses, logger, timeoutMs })
    await responses.start()
    await janitor.start()
    const ends = [() => server.stop(), () => bus.close(), () => janitor.stop(), () => responses.stop()]
    return new World({ ...world, logs, bus, jobs, agents, store, ends })
  }

  private constructor(parts: {
    server: NatsServer
    dir: string
    settings: Settings
    logs: string[]
    bus: Bus
    jobs: JobClient
    agents: AgentRegistry
    store: JobStore
    ends: (() => Promise<unknown> | void)[]
  }) {
    this.server = parts.server
    this.dir = parts.dir
    this.logs = parts.logs
    this.bus = parts.bus
    this.jobs = parts.jobs
    this.agents = parts.agents
    this.store = parts.store
    this.#settings = parts.settings
    this.#ends = parts.ends
  }

  /** A worker in this process, with its own connection. */
  async worker(name: string, settings: Settings = {}, system?: System): Promise<Agent> {
    const config = configOf({ server: this.server, settings: this.#settings }, workerSettings(name, settings))
    const logger = this.#logger(name)
    const bus = await connectBus({ connection: config.agent.nats, config: config.nats, logger })
    const agent = await startAgent({ config, bus, logger, version: 'test', ...(system ? { system } : {}) })
    this.#ends.push(
      () => bus.close(),
      () => agent.stop(),
    )
    return agent
  }

  /** A worker in a process of its own, to be killed. */
  async workerProcess(name: string, settings: Settings = {}): Promise<ChildProcess> {
    const all = { ...this.#settings, ...natsSettings(this.server), ...workerSettings(name, settings) }
    const script = fileURLToPath(new URL('./worker-process.js', import.meta.url))
    const child = fork(script, [JSON.stringify(all)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    this.#ends.push(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGKILL')
      await once(child, 'exit')
    })
    await once(child, 'message')
    return child
  }

  /** A file that commands append their marks to. */
  file(name: string): string {
    return join(this.dir, name)
  }

  async marks(name: string): Promise<readonly string[]> {
    const text = await readFile(this.file(name), 'utf8').catch(() => '')
    return text.split('\n').filter((line) => line !== '')
  }

  /** Resolves with the first response to a job that comes, whoever gives it. */
  async response(id: string): Promise<JobResponse> {
    const entries = await this.bus.jobs.watch({ key: `responses.${id}.>` })
    for await (const entry of entries) {
      if (entry.operation === 'PUT') return entry.json<JobResponse>()
    }
    throw new Error('the watch ended')
  }

  /** Stores a definition and publishes a message for it by hand. */
  async publishRaw(subject: string, body: string, definition?: string): Promise<number> {
    if (definition !== undefined) await this.bus.jobs.put(`jobs.${body}`, definition)
    return (await this.bus.js.publish(subject, body)).seq
  }

  newId(): string {
    return randomUUID()
  }

  async stop(): Promise<void> {
    for (const end of this.#ends.toReversed()) await end()
    await rm(this.dir, { recursive: true, force: true })
  }

  #logger(worker: string): Logger {
    return createLogger({ json: true, debug: true, write: (line) => this.logs.push(line) }).child({ worker })
  }
}

/** Resolves when a file, or what stands in a folder, changes from now on. */
export async function fileChange(path: string): Promise<void> {
  const watcher = watch(path)
  await once(watcher, 'change')
  watcher.close()
}

function configOf(
  world: { readonly server: NatsServer; readonly settings: Settings },
  settings: Settings,
): Config {
  return loadConfig({ flags: { ...world.settings, ...natsSettings(world.server), ...settings } }).config
}

function natsSettings(server: NatsServer): Settings {
  const { host, port } = server
  return {
    'controller.nats.host': host,
    'controller.nats.port': port,
    'agent.nats.host': host,
    'agent.nats.port': port,
  }
}

function workerSettings(name: string, settings: Settings): Settings {
  return { 'agent.hostname': name, 'agent.machine_id': `machine-${name}`, ...settings }
}
