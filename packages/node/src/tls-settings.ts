import type { OtlpProtocol, SignalName } from '@throughline/exporter'
import { invalidValue, type ValueSource } from './config-error.ts'
import { type Environment, environmentSource, readFirst } from './environment.ts'

/** Each is a PEM text, or the path of a file with it, which is read again when it changes. */
export interface TlsSettings {
  /** Whom to trust, instead of the system's authorities. Environment: OTEL_EXPORTER_OTLP_CERTIFICATE. */
  readonly ca?: string | undefined
  /** What to show (mTLS). Environment: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE. */
  readonly cert?: string | undefined
  /** The key of `cert`. Environment: OTEL_EXPORTER_OTLP_CLIENT_KEY. */
  readonly key?: string | undefined
}

/** One part of the TLS settings and where it came from. */
export interface TlsPart {
  readonly name: keyof TlsSettings
  readonly text: string
  readonly source: ValueSource
}

const variables = { ca: 'CERTIFICATE', cert: 'CLIENT_CERTIFICATE', key: 'CLIENT_KEY' } as const

/** Throws for a file that cannot be read now: a wrong path should stop the start, not show in a diagnostic later. */
export function tlsSettings(
  signal: SignalName,
  options: TlsSettings | undefined,
  env: Environment,
): readonly TlsPart[] {
  const parts: TlsPart[] = []
  for (const name of ['ca', 'cert', 'key'] as const) {
    const part = partOf(name, signal, options?.[name], env)
    if (part === undefined) continue
    checkPem(part)
    parts.push(part)
  }
  return parts
}

function partOf(
  name: keyof TlsSettings,
  signal: SignalName,
  text: string | undefined,
  env: Environment,
): TlsPart | undefined {
  if (text !== undefined) return { name, text, source: { code: 'invalid_option', key: `otlpTls.${name}` } }
  const found = readFirst(env, [
    `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${variables[name]}`,
    `OTEL_EXPORTER_OTLP_${variables[name]}`,
  ])
  return found === undefined ? undefined : { name, text: found.text, source: environmentSource(found.key) }
}

function checkPem({ text, source }: TlsPart): void {
  if (isPem(text)) return
  let cause = 'it holds no PEM text'
  try {
    if (isPem(process.getBuiltinModule('node:fs').readFileSync(text, 'utf8'))) return
  } catch (error) {
    cause = error instanceof Error ? error.message : String(error)
  }
  throw invalidValue(source, text, `the path of a readable PEM file (${cause})`)
}

function isPem(text: string): boolean {
  return text.includes('-----BEGIN ')
}

/** Settings that contradict each other stop the start: the alternative is a connection less safe than somebody believes. */
export function checkTls(
  parts: readonly TlsPart[],
  where: {
    readonly endpoint: string
    readonly protocol: OtlpProtocol
    readonly insecure: boolean | undefined
  },
): void {
  const cert = parts.find(({ name }) => name === 'cert')
  const key = parts.find(({ name }) => name === 'key')
  if (cert !== undefined && key === undefined)
    throw invalidValue(cert.source, shown(cert), 'a client certificate together with its client key only')
  if (key !== undefined && cert === undefined)
    throw invalidValue(key.source, shown(key), 'a client key together with its client certificate only')
  const [first] = parts
  if (first !== undefined && isPlaintext(where))
    throw invalidValue(
      first.source,
      shown(first),
      `nothing, as long as the endpoint ${withoutUser(where.endpoint)} is plaintext; begin it with https://`,
    )
}

function isPlaintext({ endpoint, protocol, insecure }: Parameters<typeof checkTls>[1]): boolean {
  if (/^https:/i.test(endpoint)) return false
  // Only a gRPC endpoint may leave the scheme out and still be TLS.
  if (endpoint.includes(':/') || protocol !== 'grpc') return true
  return insecure === true
}

function withoutUser(endpoint: string): string {
  return endpoint.replace(/\/\/[^/@]*@/, '//')
}

/** A key that was given as text is not for a message. */
function shown({ text }: TlsPart): string {
  return isPem(text) ? '(a PEM text)' : text
}
