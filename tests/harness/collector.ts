import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import * as grpc from '@grpc/grpc-js'
import { eventually } from './eventually.ts'
import { decodeOfficially, type ReceivedSpan } from './official-otlp.ts'

/** An OTLP receiver of this test process, gRPC and HTTP, that keeps what it is sent. */
export class Collector {
  readonly spans: ReceivedSpan[] = []
  readonly httpRequests: { readonly path: string; readonly headers: IncomingHttpHeaders }[] = []
  readonly grpcMetadata: grpc.Metadata[] = []
  readonly #grpcServer = new grpc.Server()
  readonly #httpServer: Server
  readonly #watchers = new Set<() => void>()
  #grpcPort = 0

  private constructor() {
    this.#grpcServer.addService(traceService, {
      Export: (call: grpc.ServerUnaryCall<Buffer, Buffer>, answer: grpc.sendUnaryData<Buffer>) => {
        this.grpcMetadata.push(call.metadata)
        this.#take(call.request)
        answer(null, Buffer.alloc(0))
      },
    })
    this.#httpServer = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        this.httpRequests.push({ path: request.url ?? '', headers: request.headers })
        this.#take(Buffer.concat(chunks))
        response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
      })
    })
  }

  static async start(): Promise<Collector> {
    const collector = new Collector()
    await collector.#listen()
    return collector
  }

  /** `host:port` for gRPC. */
  get grpcEndpoint(): string {
    return `127.0.0.1:${this.#grpcPort}`
  }

  get httpEndpoint(): string {
    const { port } = this.#httpServer.address() as AddressInfo // A TCP server's address is never a string.
    return `http://127.0.0.1:${port}`
  }

  spansOf(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId)
  }

  /** Resolves with the first span for which this holds, when it has come. */
  until(holds: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan> {
    const look = () => this.spans.find(holds)
    const names = () => this.spans.map(({ service, name }) => `${service} ${name}`).join(', ')
    return eventually(look, this.#watchers, () => `no such span among: ${names()}`)
  }

  async stop(): Promise<void> {
    this.#grpcServer.forceShutdown()
    this.#httpServer.close()
    this.#httpServer.closeAllConnections()
    await once(this.#httpServer, 'close')
  }

  #take(body: Uint8Array): void {
    this.spans.push(...decodeOfficially(body))
    for (const watch of this.#watchers) watch()
  }

  async #listen(): Promise<void> {
    this.#httpServer.listen(0, '127.0.0.1')
    await once(this.#httpServer, 'listening')
    this.#grpcPort = await new Promise((resolve, reject) => {
      this.#grpcServer.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(port) : reject(error),
      )
    })
  }
}

const asIs = (bytes: Buffer): Buffer => bytes

const traceService: grpc.ServiceDefinition = {
  Export: {
    path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
}
