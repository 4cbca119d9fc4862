import { ConfigError, loadConfig, requireKeys } from '../../config/index.ts'
import { createLogger } from '../../logger.ts'
import { type ProcessCommand, runProcess } from '../../process/index.ts'
import { version } from '../../version.ts'
import type { Streams } from '../streams.ts'
import { oneLine } from '../traced-run.ts'
import type { Invocation } from '../tree.ts'

const signingKey = 'controller.api.security.signing_key'

/** Configuration keys that must not be empty. */
const needs: Readonly<Record<ProcessCommand, readonly string[]>> = {
  all: [signingKey],
  nats: [],
  api: [signingKey],
  worker: [],
}

const titles: Readonly<Record<ProcessCommand, string>> = {
  all: 'osapi',
  nats: 'nats server',
  api: 'api server',
  worker: 'node agent',
}

/** Runs a long-lived part of OSAPI until it is told to stop. */
export async function startProcess(
  name: ProcessCommand,
  { invocation, streams }: { readonly invocation: Invocation; readonly streams: Streams },
): Promise<number> {
  const { flags, settings } = invocation
  const json = flags.isOn('json')
  const early = createLogger({ json, write: streams.err })
  try {
    const { config, warnings } = loadConfig({
      file: flags.required('osapi-file'),
      env: process.env,
      flags: settings,
    })
    const logger = createLogger({
      json,
      debug: config.debug,
      traceIds: config.telemetry.tracing.enabled,
      write: streams.err,
    })
    for (const warning of warnings) logger.warn(warning)
    requireKeys(config, needs[name])
    return await runProcess(name, { config, logger, version, json })
  } catch (error) {
    if (error instanceof ConfigError) early.fatal(oneLine(error.message))
    else early.fatal({ error }, `failed to start ${titles[name]}`)
    return 1
  }
}
