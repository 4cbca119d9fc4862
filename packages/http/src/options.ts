import type { IncomingMessage } from 'node:http'
import type { Span, TracerProvider } from '@opentelemetry/api'

/**
 * Which names the attributes carry: the stable HTTP conventions, those before them (`http.method`, `http.url`, ...), or
 * both: what `OTEL_SEMCONV_STABILITY_OPT_IN` chooses elsewhere.
 */
export type Semconv = 'stable' | 'dup' | 'old'

/**
 * What an incoming trace context is worth: `continue` makes the caller's span the parent; `restart-with-link` starts a
 * new trace that links to it and ignores the caller's baggage, for listeners that strangers can reach.
 */
export type IncomingTrust = 'continue' | 'restart-with-link'

/** The receiver of an outgoing request. */
export interface OutgoingTarget {
  readonly method: string
  /** Host name or address, without port, lower case. */
  readonly host: string
  readonly port: number
  /** The whole URL, with secrets redacted. */
  readonly url: string
}

/** What every entry of this package takes, all optional; an entry ignores what does not concern it. */
export interface HttpOptions {
  /** Default: OpenTelemetry's global provider, looked up when the first span starts. */
  readonly tracerProvider?: TracerProvider | undefined
  /** Default: `stable`. */
  readonly semconv?: Semconv | undefined
  /** Spans for requests that this process answers. Default: true. Read by instrumentHttp. */
  readonly server?: boolean | undefined
  /** Spans for requests that this process makes. Default: true. Read by instrumentHttp. */
  readonly client?: boolean | undefined
  /** No server span under these paths. Whole segments: `/health` takes `/health/live`, never `/healthy`. Default: none. */
  readonly excludedPaths?: readonly string[] | undefined
  /** True: no server span for this request, and no context is continued. */
  readonly ignoreRequest?: ((request: IncomingMessage) => boolean) | undefined
  /** Default: `continue`. A function decides per request, for example by `request.socket.localPort`. */
  readonly trust?: IncomingTrust | ((request: IncomingMessage) => IncomingTrust) | undefined
  /** Believe `Forwarded` and `X-Forwarded-For` for `client.address`. Default: false. */
  readonly trustProxy?: boolean | undefined
  /** Server spans get the status ERROR from this HTTP status on. Default: 500. */
  readonly errorStatusFrom?: number | undefined
  /** Answer with `X-Trace-ID` and `X-Span-ID`. Default: false. */
  readonly responseHeaders?: boolean | undefined
  /** Called with every recording server span after its start. */
  readonly requestHook?: ((span: Span, request: IncomingMessage) => void) | undefined
  /** True: no client span for this request, and no headers. */
  readonly ignoreOutgoing?: ((target: OutgoingTarget) => boolean) | undefined
  /**
   * Which hosts get the trace headers: everyone, nobody, or a list of host names (`api.example.com`; `*.example.com`
   * takes every host below it). The client span is made in any case. Default: `all`.
   */
  readonly propagateTo?:
    | 'all'
    | 'none'
    | readonly string[]
    | ((target: OutgoingTarget) => boolean)
    | undefined
  /** Names of query parameters whose values are replaced by `REDACTED`, added to the built-in ones. Case does not count. */
  readonly redactedQueryKeys?: readonly string[] | undefined
}

/** What an {@link HttpTracingError} can mean. Match on this, never on the message. */
export type HttpTracingErrorCode = 'invalid_option'

/** The one error that this package throws, and only at set-up: names the option, its value and what is allowed. */
export class HttpTracingError extends Error {
  override readonly name = 'HttpTracingError'
  readonly code: HttpTracingErrorCode

  constructor(code: HttpTracingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Throws an HttpTracingError that names the option, the value and what is allowed. */
export function checkOptions(options: HttpOptions): void {
  checkOneOf('semconv', options.semconv, ['stable', 'dup', 'old'])
  for (const name of ['server', 'client', 'trustProxy', 'responseHeaders'] as const) {
    checkOneOf(name, options[name], [true, false])
  }
  if (typeof options.trust !== 'function') {
    checkOneOf('trust', options.trust, ['continue', 'restart-with-link'], 'a function')
  }
  for (const name of ['ignoreRequest', 'requestHook', 'ignoreOutgoing'] as const) {
    if (typeof options[name] !== 'function') checkOneOf(name, options[name], [], 'a function')
  }
  const from = options.errorStatusFrom ?? 500
  if (!Number.isInteger(from) || from < 100 || from > 600) {
    throw invalidOption('errorStatusFrom', from, 'an integer from 100 to 600 (600: never)')
  }
  checkHosts(options.propagateTo)
  checkStrings('redactedQueryKeys', options.redactedQueryKeys)
  checkStrings('excludedPaths', options.excludedPaths)
  for (const path of options.excludedPaths ?? []) {
    if (!path.startsWith('/')) throw invalidOption('excludedPaths', path, 'paths that start with "/"')
  }
}

function checkHosts(value: HttpOptions['propagateTo']): void {
  if (typeof value === 'function') return
  if (Array.isArray(value)) checkStrings('propagateTo', value)
  else checkOneOf('propagateTo', value, ['all', 'none'], 'a list of host names', 'a function')
}

/** `others` are allowed too, and were looked for before. An option that is not given is always fine. */
function checkOneOf(
  option: string,
  value: unknown,
  values: readonly unknown[],
  ...others: readonly string[]
): void {
  if (value === undefined || values.includes(value)) return
  throw invalidOption(option, value, [...values, ...others].join(', '))
}

function checkStrings(option: string, value: unknown): void {
  if (value === undefined) return
  if (!Array.isArray(value) || !value.every((entry) => typeof entry === 'string' && entry !== '')) {
    throw invalidOption(option, value, 'a list of non-empty strings')
  }
}

function invalidOption(option: string, value: unknown, allowed: string): HttpTracingError {
  const got = typeof value === 'number' ? value : JSON.stringify(value)
  return new HttpTracingError('invalid_option', `${option}: got ${got}; allowed: ${allowed}`)
}
