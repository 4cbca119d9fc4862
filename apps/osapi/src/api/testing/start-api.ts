import { startNatsServer } from '@throughline/nats-server'
import type { FastifyInstance } from 'fastify'
import { startAgent } from '../../agent/agent.ts'
import { createWorkerMetrics } from '../../agent/metrics.ts'
import { generateToken } from '../../auth/token.ts'
import { type Config, loadConfig } from '../../config/index.ts'
import { type Bus, connectBus } from '../../job/bus.ts'
import { createJobClient } from '../../job/nats-client.ts'
import { createAgentRegistry } from '../../job/nats-registry.ts'
import { ResponseWatch } from '../../job/response-watch.ts'
import { JobStore } from '../../job/store.ts'
import { createLogger } from '../../logger.ts'
import { buildApp } from '../app.ts'

export const signingKey = 'a-signing-key-of-a-fair-length-0123456789'

/** The API server's application over a real NATS server and, with `worker`, a real worker of this machine. */
export interface TestApi {
  readonly app: FastifyInstance
  readonly bus: Bus
  readonly config: Config
  /** The lines that the API server has logged. */
  readonly log: readonly string[]
  /** The headers of a user with these roles or permissions. */
  as(role: string, permissions?: readonly string[]): Promise<{ readonly authorization: string }>
  close(): Promise<void>
}

export interface TestApiOptions {
  readonly worker?: boolean
  /** By dotted configuration key. */
  readonly settings?: Readonly<Record<string, unknown>>
}

export async function startTestApi({ worker = false, settings = {} }: TestApiOptions = {}): Promise<TestApi> {
  const nats = await startNatsServer({ jetstream: true })
  const { config } = loadConfig({
    flags: {
      'controller.nats.port': nats.port,
      'agent.nats.port': nats.port,
      'controller.api.security.signing_key': signingKey,
      ...settings,
    },
  })
  const log: string[] = []
  const logger = createLogger({ debug: true, write: (line) => void log.push(line) })
  const bus = await connectBus({ connection: config.controller.nats, config: config.nats, logger })
  const store = new JobStore({ kv: bus.jobs, jsm: bus.jsm, bucket: bus.names.jobsBucket })
  const agents = createAgentRegistry(bus)
  const responses = new ResponseWatch({ bus, store, logger })
  await responses.start()
  const timeoutMs = config.controller.api.job_timeout
  const jobs = createJobClient({ bus, store, agents, responses, logger, timeoutMs })
  const parts = { config, bus, jobs, agents, logger, version: '0.1.0', tracingEnabled: false }
  const { app } = await buildApp(parts, { checkResponses: true })
  const stopWorker = worker ? await startWorker(config) : undefined
  return {
    app,
    bus,
    config,
    log,
    as: async (role, permissions = []) => {
      const customRoles = Object.fromEntries(
        Object.entries(config.controller.api.security.roles).map(([name, entry]) => [
          name,
          entry.permissions,
        ]),
      )
      const token = await generateToken(
        { subject: 'ada', roles: [role], permissions },
        { signingKey, customRoles },
      )
      return { authorization: `Bearer ${token}` }
    },
    close: async () => {
      await app.close()
      await stopWorker?.()
      responses.stop()
      await bus.close()
      await nats.stop()
    },
  }
}

async function startWorker(config: Config): Promise<() => Promise<void>> {
  const logger = createLogger({ write: () => {} })
  const bus = await connectBus({ connection: config.agent.nats, config: config.nats, logger })
  const agent = await startAgent({ config, bus, logger, version: '0.1.0', metrics: createWorkerMetrics() })
  return async () => {
    await agent.stop()
    await bus.close()
  }
}
