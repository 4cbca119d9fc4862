import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'

/** Where everything of one run stands: ports on loopback, folders, the OSAPI configuration file. */
export interface Scene {
  readonly dir: string
  readonly configPath: string
  readonly ports: ScenePorts
}

export interface ScenePorts {
  readonly nats: number
  readonly api: number
  readonly apiMetrics: number
  readonly workerMetrics: number
  readonly natsMetrics: number
  readonly lens: number
  readonly otlpGrpc: number
  readonly otlpHttp: number
}

/**
 * Makes the folder anew and chooses ports: Lens gets its well-known ones where they are free, everything else any free
 * port, so that a run disturbs nothing that is already there.
 */
export async function prepareScene(dir: string): Promise<Scene> {
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  const taken = new Set<number>()
  const port = async (wanted: number) => {
    const chosen = (await isFree(wanted)) && !taken.has(wanted) ? wanted : await freePort()
    taken.add(chosen)
    return chosen
  }
  const ports: ScenePorts = {
    lens: await port(4319),
    otlpGrpc: await port(4317),
    otlpHttp: await port(4318),
    nats: await port(0),
    api: await port(0),
    apiMetrics: await port(0),
    workerMetrics: await port(0),
    natsMetrics: await port(0),
  }
  return { dir, ports, configPath: join(dir, 'osapi.yaml') }
}

export function newSigningKey(): string {
  return randomBytes(32).toString('hex')
}

export interface ConfigOptions {
  readonly signingKey: string
  readonly bearerToken?: string
}

/** The configuration that all OSAPI processes of the scene share. JSON is YAML. */
export function writeConfig(
  { configPath, dir, ports }: Scene,
  { signingKey, bearerToken }: ConfigOptions,
): void {
  const nats = { host: '127.0.0.1', port: ports.nats }
  const config = {
    controller: {
      client: { url: `http://127.0.0.1:${ports.api}`, security: { bearer_token: bearerToken ?? 'none yet' } },
      api: { port: ports.api, security: { signing_key: signingKey } },
      nats,
      metrics: { host: '127.0.0.1', port: ports.apiMetrics },
    },
    nats: {
      server: {
        ...nats,
        store_dir: join(dir, 'jetstream'),
        metrics: { host: '127.0.0.1', port: ports.natsMetrics },
      },
    },
    agent: { nats, metrics: { host: '127.0.0.1', port: ports.workerMetrics } },
    telemetry: { tracing: { enabled: true, exporter: 'otlp', otlp_endpoint: `127.0.0.1:${ports.otlpGrpc}` } },
  }
  writeFileSync(configPath, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
}

async function isFree(port: number): Promise<boolean> {
  if (port === 0) return false
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no free port on 127.0.0.1')
  return address.port
}
