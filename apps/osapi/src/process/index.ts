import { startApi } from '../api/index.ts'
import type { Config, NatsConnectionConfig } from '../config/index.ts'
import type { Logger } from '../logger.ts'
import { type ProcessName, startTelemetry } from '../telemetry.ts'
import { apiPart } from './api-part.ts'
import { type Part, runParts } from './life-cycle.ts'
import { natsPart } from './nats-part.ts'
import { osFamilyWarning } from './os-family.ts'
import { workerPart } from './worker-part.ts'

export type { ApiParts, ApiServer, Component, StartApi } from './component.ts'

/** What the CLI knows when it starts a long-running process. */
export interface Launch {
  readonly config: Config
  readonly logger: Logger
  readonly version: string
  readonly json: boolean
  /** Aborted: stop, as at SIGINT and SIGTERM. For tests. */
  readonly signal?: AbortSignal
}

/** `osapi nats server start`, `api server start`, `job worker start`, `start`. */
export type ProcessCommand = 'nats' | 'api' | 'worker' | 'all'

/** How long tracing may take to deliver what it has when a process ends. */
const flushMsMax = 5_000

/**
 * Runs a process until it is told to stop; resolves with its exit code when it has stopped, and rejects when it cannot
 * start. A second signal ends it at once.
 */
export async function runProcess(command: ProcessCommand, launch: Launch): Promise<number> {
  const { config, logger, json } = launch
  const warning = command === 'nats' ? undefined : osFamilyWarning(process.env)
  if (warning !== undefined) logger.warn(warning)
  const warn = (message: string) => logger.warn(message)
  const tracing = startTelemetry(serviceOf(command), config, { json, warn })
  const stop = stopSignal(launch.signal)
  try {
    return await runParts(partsOf(command, launch), {
      logger,
      signal: stop.signal,
      flush: () => tracing.shutdown({ timeoutMs: flushMsMax }),
    })
  } finally {
    stop.dispose()
  }
}

function serviceOf(command: ProcessCommand): ProcessName {
  return command === 'nats' ? 'nats' : command
}

function partsOf(command: ProcessCommand, launch: Launch): readonly Part[] {
  const { config } = launch
  let natsPort: number | undefined
  // Where the server of this very process got any free port, that is the one to connect to.
  const reachable = (connection: NatsConnectionConfig) => (): NatsConnectionConfig =>
    natsPort === undefined || config.nats.server.port !== 0 ? connection : { ...connection, port: natsPort }
  const nats = natsPart(launch, (port) => {
    natsPort = port
  })
  const api = apiPart({ launch, startApi, connection: reachable(config.controller.nats) })
  const worker = workerPart(launch, reachable(config.agent.nats))
  return { nats: [nats], api: [api], worker: [worker], all: [nats, api, worker] }[command]
}

function stopSignal(given: AbortSignal | undefined) {
  const controller = new AbortController()
  const onSignal = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143)
    controller.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  const signal = given === undefined ? controller.signal : AbortSignal.any([given, controller.signal])
  return {
    signal,
    dispose: () => {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    },
  }
}
