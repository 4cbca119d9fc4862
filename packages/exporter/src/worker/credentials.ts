import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'
import type { WorkerConfig } from '../messages.ts'
import { headersFromText } from './headers.ts'
import { isPem } from './pem.ts'
import { type ReadFiles, ReloadedFiles } from './reloaded-files.ts'

/** What the exporter shows to the collector, and what it wants to be shown. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>
  readonly secureContext: SecureContext | undefined
  /** Another number than before: connections that were made with the old `secureContext` are to be left. */
  readonly tlsVersion: number
}

/** The credentials of this moment; with a `cause` where a file that is needed was never readable. */
export type CredentialSource = () => Credentials | { readonly cause: string }

/** Files are read here in the worker, and again when they change. */
export function openCredentials(config: WorkerConfig, say: (message: string) => void): CredentialSource {
  const readTls = tlsSource(config, say)
  const readHeaders = headerSource(config, say)
  return () => {
    const tls = readTls()
    if (tls.cause !== undefined) return { cause: tls.cause }
    const headers = readHeaders()
    if (headers.cause !== undefined) return { cause: headers.cause }
    return { headers: headers.value, secureContext: tls.value, tlsVersion: tls.version }
  }
}

type Source<Value> = () => ReadFiles<Value>

function tlsSource(config: WorkerConfig, say: (message: string) => void): Source<SecureContext | undefined> {
  if (!config.url.startsWith('https:')) return () => ({ value: undefined, version: 0 })
  const given = Object.entries(config.tls)
  const pems = Object.fromEntries(given.filter(([, text]) => isPem(text)))
  const paths = Object.fromEntries(given.filter(([, text]) => !isPem(text)))
  return fileSource({ paths, say, parse: (texts) => secureContextOf({ ...pems, ...texts }) })
}

function headerSource(config: WorkerConfig, say: (message: string) => void): Source<Record<string, string>> {
  const paths: Record<string, string> = config.headersFile === undefined ? {} : { file: config.headersFile }
  return fileSource({
    paths,
    say,
    parse: ({ file }) => ({ ...(file !== undefined && headersFromText(file)), ...config.headers }),
  })
}

/** Without files the value is made once. */
function fileSource<Value>(options: {
  readonly paths: Readonly<Record<string, string>>
  readonly say: (message: string) => void
  readonly parse: (texts: Readonly<Record<string, string>>) => Value
}): Source<Value> {
  const files = new ReloadedFiles(options)
  return () => files.read()
}

interface PemTexts {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

/** Throws for anything that is not complete: node:tls would take an authority that it cannot read for none. */
function secureContextOf({ ca, cert, key }: PemTexts): SecureContext {
  for (const [name, text] of Object.entries({ ca, cert, key }))
    if (text !== undefined && !isPem(text)) throw new Error(`${name} is no PEM text`)
  return createSecureContext({
    ...(ca !== undefined && { ca: certificatesOf(ca) }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  })
}

function certificatesOf(pem: string): string[] {
  const blocks = pem.match(/-----BEGIN [^-]+-----[^-]+-----END [^-]+-----/g) ?? []
  if (blocks.length !== pem.split('-----BEGIN ').length - 1)
    throw new Error('a certificate in it is not complete')
  return blocks.map((block) => new X509Certificate(block).toString())
}
