import { isSpanContextValid, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { extractFromEnvironment } from '@throughline/trace'
import { type Config, ConfigError, loadConfig, requireKeys } from '../config/index.ts'
import { createLogger, type Logger } from '../logger.ts'
import { startTelemetry, type Tracing } from '../telemetry.ts'
import type { Streams } from './streams.ts'
import type { Invocation } from './tree.ts'

/** How long the end of a command may take to deliver its spans; what is left then is lost or spooled. */
const flushMsMax = 1_000

/** The user asked for what cannot be; the message says all there is to say. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
}

/** A command under its root span. */
export interface TracedRun {
  readonly invocation: Invocation
  readonly config: Config
  readonly logger: Logger
  readonly streams: Streams
  readonly span: Span
  readonly isJson: boolean
  readonly signal: AbortSignal
  /** Marks the root span as failed. */
  readonly fail: (error: Error) => void
  /** The trace that the server made, for a command that makes none itself. */
  readonly noteTraceId: (traceId: string) => void
}

export interface RunNeeds {
  readonly invocation: Invocation
  readonly streams: Streams
  /** Configuration keys that must not be empty. */
  readonly needs: readonly string[]
}

/**
 * Loads the configuration, starts tracing and runs a command inside its root span, a child of `TRACEPARENT` where the
 * environment has one. However the command ends, also by Ctrl-C, the span ends with the exit code and is flushed
 * within a limit, and the exit code is the command's own.
 */
export async function runTraced(given: RunNeeds, body: (run: TracedRun) => Promise<number>): Promise<number> {
  const { invocation, streams } = given
  const isJson = invocation.flags.isOn('json')
  const early = createLogger({ json: isJson, write: streams.err })
  const config = configOf(given, early)
  if (!config) return 1
  const logger = createLogger({
    json: isJson,
    debug: config.debug,
    traceIds: config.telemetry.tracing.enabled,
    write: streams.err,
  })
  let tracing: Tracing
  try {
    tracing = startTelemetry('cli', config, { json: isJson, warn: (message) => logger.warn(message) })
  } catch (error) {
    logger.error(messageOf(error))
    return 1
  }
  const interrupt = onInterrupt()
  try {
    return await inRootSpan({ ...given, config, logger, isJson, signal: interrupt.signal }, body, interrupt)
  } finally {
    await tracing.shutdown({ timeoutMs: flushMsMax, retry: false })
    interrupt.dispose()
  }
}

function configOf({ invocation, needs }: RunNeeds, logger: Logger): Config | undefined {
  const { flags, settings } = invocation
  try {
    const { config, warnings } = loadConfig({
      file: flags.required('osapi-file'),
      env: process.env,
      flags: settings,
    })
    for (const warning of warnings) logger.warn(warning)
    requireKeys(config, needs)
    return config
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    logger.error(oneLine(error.message))
    return undefined
  }
}

async function inRootSpan(
  parts: Omit<TracedRun, 'span' | 'fail' | 'noteTraceId'>,
  body: (run: TracedRun) => Promise<number>,
  interrupt: Interrupt,
): Promise<number> {
  const { invocation, config, logger, streams } = parts
  const tracer = trace.getTracer('osapi-cli')
  const attributes = { 'cli.command': invocation.path }
  const parent = extractFromEnvironment(process.env)
  return await tracer.startActiveSpan(
    invocation.path,
    { kind: SpanKind.INTERNAL, attributes },
    parent,
    async (span) => {
      let traceId = isSpanContextValid(span.spanContext()) ? span.spanContext().traceId : undefined
      const run: TracedRun = {
        ...parts,
        span,
        fail: (error) => failSpan(span, error),
        noteTraceId: (id) => {
          traceId ??= id
        },
      }
      let code = 1
      try {
        code = await body(run)
      } catch (error) {
        code = interrupt.exitCode ?? 1
        if (interrupt.exitCode === undefined) logFailure(logger, error)
        failSpan(span, error instanceof Error ? error : new Error(String(error)))
      }
      if (config.debug && traceId !== undefined) {
        if (parts.isJson) logger.debug('trace')
        else streams.err(`Trace ID: ${traceId}\n`)
      }
      span.setAttribute('process.exit.code', code)
      span.end()
      return code
    },
  )
}

function logFailure(logger: Logger, error: unknown): void {
  if (error instanceof CommandError) logger.error(error.message)
  else logger.error({ error: messageOf(error) }, 'unexpected error')
}

function failSpan(span: Span, error: Error): void {
  span.recordException(error)
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message })
}

interface Interrupt {
  readonly signal: AbortSignal
  /** 128 + the signal's number, once there was one. */
  readonly exitCode: number | undefined
  dispose(): void
}

/** The first Ctrl-C gives up what is under way and lets the command end in order; the second ends it at once. */
function onInterrupt(): Interrupt {
  const controller = new AbortController()
  let exitCode: number | undefined
  const interrupt = (code: number) => () => {
    if (exitCode !== undefined) process.exit(code)
    exitCode = code
    controller.abort(new Error('interrupted'))
  }
  const onInt = interrupt(130)
  const onTerm = interrupt(143)
  process.on('SIGINT', onInt)
  process.on('SIGTERM', onTerm)
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode
    },
    dispose: () => {
      process.off('SIGINT', onInt)
      process.off('SIGTERM', onTerm)
    },
  }
}

// A YAML parser draws a picture of the place.
export function oneLine(text: string): string {
  return text.replaceAll(/\s+/gu, ' ').trim()
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // A refused connection to several addresses has its texts inside.
  const inner = error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : ''
  return error.message || inner || error.name
}
