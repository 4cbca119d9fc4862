import type { Span } from '@opentelemetry/api'
import { type Answer, ApiError, createOsapiClient, type OsapiClient } from '../client/index.ts'
import type { Config } from '../config/index.ts'
import type { Logger } from '../logger.ts'
import type { Flags } from './flags.ts'
import type { Streams } from './streams.ts'
import { runTraced, type TracedRun } from './traced-run.ts'
import type { Invocation } from './tree.ts'

/** What a client command works with. */
export interface ClientSession {
  readonly api: OsapiClient
  readonly flags: Flags
  readonly config: Config
  readonly logger: Logger
  readonly streams: Streams
  readonly isJson: boolean
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  /** `_any` where the command has no target. */
  readonly target: string
  /** The answer as it came with `--json`, else these lines. */
  show(answer: Answer<unknown>, lines: () => readonly string[]): void
  /** Names the job on the command's span. */
  setJob(id: string): void
}

/** A client command; resolves with the exit code. */
export type ClientCommand = (session: ClientSession) => Promise<number>

/** Runs a command of the API's client. */
export async function runClient(
  parts: { invocation: Invocation; streams: Streams },
  command: ClientCommand,
): Promise<number> {
  return await runTraced(
    { ...parts, needs: ['controller.client.security.bearer_token'] },
    async (run) => await withApiErrors(run, async () => await command(sessionOf(run))),
  )
}

function sessionOf(run: TracedRun): ClientSession {
  const { config, logger, streams, span, isJson, signal } = run
  const { flags } = run.invocation
  const target = flags.text('target') ?? flags.text('target-hostname')
  if (target !== undefined) span.setAttribute('cli.target', target)
  return {
    api: apiOf(run),
    flags,
    config,
    logger,
    streams,
    isJson,
    signal,
    target: target ?? '_any',
    show: (answer, lines) => streams.out(isJson ? jsonLine(answer.text) : `${lines().join('\n')}\n`),
    setJob: (id) => void span.setAttribute('osapi.job.id', id),
  }
}

function apiOf({ config, logger, signal, span, noteTraceId }: TracedRun): OsapiClient {
  const { url, security } = config.controller.client
  return createOsapiClient({
    baseUrl: url,
    token: security.bearer_token,
    signal,
    onResponse: (response) => {
      const { method, status, durationMs } = response
      logger.debug(
        { method, url: response.url, status, duration: `${durationMs.toFixed(3)}ms` },
        'http response',
      )
      if (!isTraced(span) && response.traceId !== undefined) noteTraceId(response.traceId)
    },
  })
}

function isTraced(span: Span): boolean {
  return !/^0+$/u.test(span.spanContext().traceId)
}

async function withApiErrors(run: TracedRun, body: () => Promise<number>): Promise<number> {
  try {
    return await body()
  } catch (error) {
    // A refusal is an answer: it has a status and a text, and says all there is to say.
    if (!(error instanceof ApiError)) throw error
    run.logger.error({ code: error.status, error: error.message }, 'api error')
    run.fail(error)
    return 1
  }
}

/** One line, as it came; only an answer of several lines is written anew. */
function jsonLine(text: string): string {
  const body = text.trim()
  return `${body.includes('\n') ? JSON.stringify(JSON.parse(body)) : body}\n`
}
