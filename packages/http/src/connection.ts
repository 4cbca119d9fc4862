import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Attributes } from '@opentelemetry/api'
import type { AttributeBlock } from '@throughline/trace'
import {
  type ConnectionFacts,
  connectionEntries,
  entriesToAttributes,
  type Generations,
} from './attributes.ts'
import { rawHeader } from './carrier.ts'
import type { ServerSpan } from './server-span.ts'
import { splitHost } from './url.ts'

const connectionKey: unique symbol = Symbol('throughline.http.connection')

interface SeenSocket extends Socket {
  [connectionKey]?: Connection
  readonly encrypted?: boolean
}

/** One accepted connection: the attributes that its requests share, made once, and the requests not yet answered. */
export class Connection {
  /** In order of arrival; longer than one only with pipelining. */
  readonly open: ServerSpan[] = []
  facts: ConnectionFacts
  block: AttributeBlock = { entries: [], encoded: undefined }
  #entries: (string | number)[] = []
  #attributes: Attributes | undefined
  #hostHeader = ''

  constructor(socket: SeenSocket) {
    this.facts = {
      scheme: socket.encrypted === true ? 'https' : 'http',
      host: '',
      port: 0,
      peerAddress: socket.remoteAddress ?? '',
      peerPort: socket.remotePort ?? 0,
      httpVersion: '',
      clientAddress: '',
      userAgent: '',
    }
  }

  /** Brings the facts up to date with a request; on most connections only the first one changes anything. */
  update(
    request: IncomingMessage,
    options: { readonly names: Generations; readonly trustProxy: boolean },
  ): void {
    const headers = request.rawHeaders
    // HTTP/2 has a pseudo header in its place.
    const hostHeader = rawHeader(headers, 'host') ?? rawHeader(headers, ':authority') ?? ''
    const userAgent = rawHeader(headers, 'user-agent') ?? ''
    const { facts } = this
    const clientAddress = (options.trustProxy ? forwardedFor(headers) : undefined) ?? facts.peerAddress
    if (
      hostHeader === this.#hostHeader &&
      userAgent === facts.userAgent &&
      clientAddress === facts.clientAddress &&
      request.httpVersion === facts.httpVersion
    ) {
      return
    }
    this.#hostHeader = hostHeader
    const { host, port } = splitHost(hostHeader)
    this.facts = {
      ...facts,
      host,
      port: port ?? (facts.scheme === 'https' ? 443 : 80),
      httpVersion: request.httpVersion,
      clientAddress,
      userAgent,
    }
    this.#entries = connectionEntries(this.facts, options.names)
    this.block = { entries: this.#entries, encoded: undefined }
    this.#attributes = undefined
  }

  /** The block's content for tracers that take no blocks. */
  get attributes(): Attributes {
    this.#attributes ??= entriesToAttributes(this.#entries)
    return this.#attributes
  }

  close(span: ServerSpan): void {
    const index = this.open.indexOf(span)
    if (index === 0) this.open.shift()
    else if (index > 0) this.open.splice(index, 1)
  }
}

/** The connection of a socket; `onNew` is called when it is seen for the first time. */
export function connectionOf(socket: Socket, onNew: (connection: Connection) => void): Connection {
  const seen = socket as SeenSocket
  let connection = seen[connectionKey]
  if (connection === undefined) {
    connection = new Connection(seen)
    seen[connectionKey] = connection
    onNew(connection)
  }
  return connection
}

/** The first address of `X-Forwarded-For`, or of RFC 7239's `Forwarded: for=`. */
function forwardedFor(headers: readonly string[]): string | undefined {
  const list = rawHeader(headers, 'x-forwarded-for')
  if (list !== undefined) return nonEmpty(firstOf(list, ',').trim())
  const forwarded = rawHeader(headers, 'forwarded')
  if (forwarded === undefined) return undefined
  for (const pair of firstOf(forwarded, ',').split(';')) {
    const text = pair.trim()
    if (text.length > 4 && text.slice(0, 4).toLowerCase() === 'for=') {
      const value = text.slice(4)
      const quoted = value.startsWith('"') && value.endsWith('"')
      return nonEmpty(splitHost(quoted ? value.slice(1, -1) : value).host)
    }
  }
  return undefined
}

function firstOf(list: string, separator: string): string {
  const end = list.indexOf(separator)
  return end < 0 ? list : list.slice(0, end)
}

function nonEmpty(text: string): string | undefined {
  return text === '' ? undefined : text
}
