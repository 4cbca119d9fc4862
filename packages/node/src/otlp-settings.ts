import { signalUrlFromBase } from '@throughline/exporter'
import { invalidValue, type ValueSource } from './config-error.ts'
import {
  type Environment,
  environmentSource,
  readChoice,
  readFirst,
  readPairs,
  readWholeNumber,
} from './environment.ts'

/** How spans travel to the collector; both as protobuf. */
export type OtlpProtocol = 'grpc' | 'http/protobuf'

/** What the program says in code about OTLP; everything it leaves out comes from OTEL_EXPORTER_OTLP_*. */
export interface OtlpOptions {
  readonly endpoint?: string | undefined
  readonly protocol?: OtlpProtocol | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

export interface OtlpSettings {
  readonly endpoint: string
  readonly protocol: OtlpProtocol
  readonly headers: Readonly<Record<string, string>>
  readonly compression?: 'none' | 'gzip'
  readonly timeoutMs?: number
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
}

const variable = (name: string): readonly string[] => [
  `OTEL_EXPORTER_OTLP_TRACES_${name}`,
  `OTEL_EXPORTER_OTLP_${name}`,
]

/** Somebody, in code or in the environment, says where spans go. */
export function namesEndpoint(options: OtlpOptions, env: Environment): boolean {
  return options.endpoint !== undefined || readFirst(env, variable('ENDPOINT')) !== undefined
}

/**
 * OTLP settings for traces: code beats OTEL_EXPORTER_OTLP_TRACES_*, which beats OTEL_EXPORTER_OTLP_*. Unless said
 * otherwise, http/protobuf to the specification's port on this machine.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function otlpSettings(options: OtlpOptions, env: Environment): OtlpSettings {
  const protocol =
    options.protocol ??
    readChoice(env, variable('PROTOCOL'), ['grpc', 'http/protobuf'] as const) ??
    'http/protobuf'
  const compression = readChoice(env, variable('COMPRESSION'), ['none', 'gzip'] as const)
  const timeoutMs =
    readWholeNumber(env, 'OTEL_EXPORTER_OTLP_TRACES_TIMEOUT', 1) ??
    readWholeNumber(env, 'OTEL_EXPORTER_OTLP_TIMEOUT', 1)
  const tls = tlsOf(env)
  return {
    endpoint: endpointOf(options, env, protocol),
    protocol,
    headers: { ...readPairs(env, variable('HEADERS')), ...options.headers },
    ...(compression !== undefined && { compression }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(tls !== undefined && { tls }),
  }
}

function endpointOf(options: OtlpOptions, env: Environment, protocol: OtlpProtocol): string {
  if (options.endpoint !== undefined)
    return baseEndpoint(options.endpoint, protocol, { code: 'invalid_option', key: 'otlpEndpoint' })
  const found = readFirst(env, variable('ENDPOINT'))
  if (found === undefined) return protocol === 'grpc' ? 'localhost:4317' : 'http://localhost:4318/v1/traces'
  const source = environmentSource(found.key)
  // The signal's own variable is the whole URL; the general one is a base to which the signal's path is added.
  if (found.key.includes('_TRACES_')) return found.text
  return baseEndpoint(found.text, protocol, source)
}

/** A base gets the signal's path, unless somebody wrote it already; gRPC has no paths. */
function baseEndpoint(text: string, protocol: OtlpProtocol, source: ValueSource): string {
  if (protocol === 'grpc' || /\/v1\/traces\/?$/.test(text)) return text
  try {
    return signalUrlFromBase(text, 'traces')
  } catch {
    throw invalidEndpoint(text, source)
  }
}

function invalidEndpoint(text: string, source: ValueSource): Error {
  return invalidValue(source, text, 'http://host:port, https://host:port, or host:port')
}

function tlsOf(env: Environment): OtlpSettings['tls'] {
  const ca = readPem(env, 'CERTIFICATE')
  const cert = readPem(env, 'CLIENT_CERTIFICATE')
  const key = readPem(env, 'CLIENT_KEY')
  if (ca === undefined && cert === undefined && key === undefined) return undefined
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}

function readPem(env: Environment, name: string): string | undefined {
  const found = readFirst(env, variable(name))
  if (found === undefined) return undefined
  try {
    return process.getBuiltinModule('node:fs').readFileSync(found.text, 'utf8')
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error)
    throw invalidValue(environmentSource(found.key), found.text, `the path of a readable PEM file (${cause})`)
  }
}
