import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { type Attributes, SpanKind } from '@opentelemetry/api'
import type { AttributeBlock } from '@throughline/trace'
import { type ConnectionFacts, connectionEntries, entriesToAttributes } from './attributes.ts'
import { rawHeader, type ScannedHeaders } from './carrier.ts'
import type { ServerSpan } from './server-span.ts'
import type { HttpTracing, StartOptions } from './trace.ts'
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
  /** How a span is started whose own attributes follow: the same object for all requests. */
  startOptions: StartOptions & { attributeBlock: AttributeBlock } = {
    kind: SpanKind.SERVER,
    attributeBlock: { entries: [], encoded: undefined },
  }
  #entries: (string | number)[] = []
  #attributes: Attributes | undefined
  #hostHeader = ''
  /** Who made the entries: another instrumentation may want other names. */
  #tracing: HttpTracing | undefined

  constructor(socket: SeenSocket) {
    socket[connectionKey] = this
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
  update(request: IncomingMessage, headers: ScannedHeaders, tracing: HttpTracing): void {
    const { facts } = this
    const forwarded = tracing.options.trustProxy === true ? forwardedFor(request.rawHeaders) : undefined
    const clientAddress = forwarded ?? facts.peerAddress
    if (
      headers.host === this.#hostHeader &&
      headers.userAgent === facts.userAgent &&
      clientAddress === facts.clientAddress &&
      request.httpVersion === facts.httpVersion &&
      tracing === this.#tracing
    ) {
      return
    }
    this.#tracing = tracing
    this.#hostHeader = headers.host
    const { host, port } = splitHost(headers.host)
    this.facts = {
      ...facts,
      host,
      port: port ?? (facts.scheme === 'https' ? 443 : 80),
      httpVersion: request.httpVersion,
      clientAddress,
      userAgent: headers.userAgent,
    }
    this.#entries = connectionEntries(this.facts, tracing)
    this.startOptions = {
      kind: SpanKind.SERVER,
      attributeBlock: { entries: this.#entries, encoded: undefined },
    }
    this.#attributes = undefined
  }

  /** The block's content for tracers that take no blocks. */
  get attributes(): Attributes {
    this.#attributes ??= entriesToAttributes(this.#entries)
    return this.#attributes
  }

  close(span: ServerSpan): void {
    // Without pipelining it is the only one, and pop() is what engines are good at.
    if (this.open.length === 1 && this.open[0] === span) {
      this.open.pop()
      return
    }
    const index = this.open.indexOf(span)
    if (index >= 0) this.open.splice(index, 1)
  }
}

export function connectionOf(socket: Socket): Connection | undefined {
  return (socket as SeenSocket)[connectionKey]
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
