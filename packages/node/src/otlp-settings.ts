import { type OtlpProtocol, type SignalName, signalUrlFromBase, type TlsOptions } from '@throughline/exporter'
import { invalidValue, type ValueSource } from './config-error.ts'
import {
  type Environment,
  environmentSource,
  readBoolean,
  readChoice,
  readFirst,
  readPairs,
  readWholeNumber,
} from './environment.ts'
import { checkTls, type TlsSettings, tlsSettings } from './tls-settings.ts'

export type { OtlpProtocol } from '@throughline/exporter'

/** What the program says in code about OTLP; everything it leaves out comes from OTEL_EXPORTER_OTLP_*. */
export interface OtlpOptions {
  readonly endpoint?: string | undefined
  readonly protocol?: OtlpProtocol | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly headersFile?: string | undefined
  readonly compression?: 'none' | 'gzip' | undefined
  readonly timeoutMs?: number | undefined
  readonly tls?: TlsSettings | undefined
  readonly insecure?: boolean | undefined
}

export interface OtlpSettings {
  readonly endpoint: string
  readonly protocol: OtlpProtocol
  readonly headers: Readonly<Record<string, string>>
  readonly headersFile?: string
  readonly compression?: 'none' | 'gzip'
  readonly timeoutMs?: number
  readonly tls?: TlsOptions
  readonly insecure?: boolean
}

/** The signal's own variable, then the one for all signals. */
export function otlpVariables(signal: SignalName, name: string): readonly [string, string] {
  return [`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${name}`, `OTEL_EXPORTER_OTLP_${name}`]
}

/** Somebody, in code or in the environment, says where the signal goes. */
export function namesEndpoint(signal: SignalName, options: OtlpOptions, env: Environment): boolean {
  return options.endpoint !== undefined || readFirst(env, otlpVariables(signal, 'ENDPOINT')) !== undefined
}

/**
 * OTLP settings for a signal: code beats OTEL_EXPORTER_OTLP_<SIGNAL>_*, which beats OTEL_EXPORTER_OTLP_*. Unless said
 * otherwise, http/protobuf to the specification's port on this machine.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function otlpSettings(signal: SignalName, options: OtlpOptions, env: Environment): OtlpSettings {
  const variable = (name: string): readonly string[] => otlpVariables(signal, name)
  const protocol =
    options.protocol ??
    readChoice(env, variable('PROTOCOL'), ['grpc', 'http/protobuf', 'http/json'] as const) ??
    'http/protobuf'
  const compression =
    options.compression ?? readChoice(env, variable('COMPRESSION'), ['none', 'gzip'] as const)
  const timeoutMs = options.timeoutMs ?? firstOf(variable('TIMEOUT'), (key) => readWholeNumber(env, key, 1))
  const insecure = options.insecure ?? firstOf(variable('INSECURE'), (key) => readBoolean(env, key))
  const headersFile = options.headersFile ?? readHeadersFile(signal, env)
  const tls = tlsSettings(signal, options.tls, env)
  const endpoint = endpointOf(signal, options, env, protocol)
  checkTls(tls, { endpoint, protocol, insecure })
  return {
    endpoint,
    protocol,
    // The signal's own variable replaces the general one whole: an API key meant for one address stays with it.
    headers: { ...readPairs(env, variable('HEADERS')), ...options.headers },
    ...(headersFile !== undefined && { headersFile }),
    ...(compression !== undefined && { compression }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(insecure !== undefined && { insecure }),
    ...(tls.length > 0 && { tls: Object.fromEntries(tls.map(({ name, text }) => [name, text])) }),
  }
}

function endpointOf(
  signal: SignalName,
  options: OtlpOptions,
  env: Environment,
  protocol: OtlpProtocol,
): string {
  if (options.endpoint !== undefined)
    return baseEndpoint(options.endpoint, signal, protocol, { code: 'invalid_option', key: 'otlpEndpoint' })
  const [own, general] = otlpVariables(signal, 'ENDPOINT')
  const found = readFirst(env, [own, general])
  if (found === undefined)
    return protocol === 'grpc' ? 'localhost:4317' : `http://localhost:4318/v1/${signal}`
  // The signal's own variable is the whole URL; the general one is a base to which the signal's path is added.
  if (found.key === own) return found.text
  return baseEndpoint(found.text, signal, protocol, environmentSource(found.key))
}

/** A base gets the signal's path, unless somebody wrote it already; gRPC and unix sockets have no paths. */
function baseEndpoint(text: string, signal: SignalName, protocol: OtlpProtocol, source: ValueSource): string {
  if (protocol === 'grpc' || text.startsWith('unix:') || text.replace(/\/$/, '').endsWith(`/v1/${signal}`))
    return text
  // A base for both signals may have been written with the path of one of them.
  const base = text.replace(/\/v1\/(?:traces|logs)\/?$/, '')
  try {
    return signalUrlFromBase(base, signal)
  } catch {
    throw invalidValue(source, text, 'http://host:port, https://host:port, host:port, or unix:///path')
  }
}

/** Not OpenTelemetry's variables, hence the name: a secret in a file is seen by fewer than one in the environment. */
function readHeadersFile(signal: SignalName, env: Environment): string | undefined {
  const upper = signal.toUpperCase()
  return readFirst(env, [`THROUGHLINE_OTLP_${upper}_HEADERS_FILE`, 'THROUGHLINE_OTLP_HEADERS_FILE'])?.text
}

function firstOf<Value>(
  keys: readonly string[],
  read: (key: string) => Value | undefined,
): Value | undefined {
  for (const key of keys) {
    const value = read(key)
    if (value !== undefined) return value
  }
  return undefined
}
