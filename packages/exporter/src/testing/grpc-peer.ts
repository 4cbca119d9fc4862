import * as grpc from '@grpc/grpc-js'

export interface GrpcPeer {
  readonly endpoint: string
  readonly port: number
  readonly requests: readonly { readonly body: Buffer; readonly metadata: grpc.Metadata }[]
  received(requestCount: number): Promise<void>
  /** Ends the connections at once. */
  readonly stop: () => void
}

/** What the server says to the request of this index: bytes of an answer, a status, or nothing for ever (`undefined`). */
export type GrpcResponder = (index: number) => Buffer | Partial<grpc.StatusObject> | undefined

/** A real gRPC server with one of OTLP's services, its messages left as bytes. */
export async function startGrpcPeer(
  respond: GrpcResponder,
  options: {
    port?: number
    credentials?: grpc.ServerCredentials
    service?: string
    server?: grpc.ServerOptions
  } = {},
): Promise<GrpcPeer> {
  const requests: { body: Buffer; metadata: grpc.Metadata }[] = []
  const waiting = new Set<() => void>()
  const server = new grpc.Server(options.server)
  const service: grpc.ServiceDefinition = {
    Export: {
      path: `/opentelemetry.proto.collector.${options.service ?? 'trace.v1.TraceService'}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: passThrough,
      requestDeserialize: passThrough,
      responseSerialize: passThrough,
      responseDeserialize: passThrough,
    },
  }
  server.addService(service, {
    Export: (call: grpc.ServerUnaryCall<Buffer, Buffer>, callback: grpc.sendUnaryData<Buffer>) => {
      requests.push({ body: call.request, metadata: call.metadata })
      const answer = respond(requests.length - 1)
      if (Buffer.isBuffer(answer)) callback(null, answer)
      else if (answer !== undefined) callback(answer)
      for (const wake of waiting) wake()
    },
  })
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = options.credentials ?? grpc.ServerCredentials.createInsecure()
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, boundPort) => {
      if (error === null) resolve(boundPort)
      else reject(error)
    })
  })
  return {
    endpoint: `127.0.0.1:${port}`,
    port,
    requests,
    received: (requestCount) =>
      new Promise((resolve) => {
        const wake = (): void => {
          if (requests.length < requestCount) return
          waiting.delete(wake)
          resolve()
        }
        waiting.add(wake)
        wake()
      }),
    stop: () => server.forceShutdown(),
  }
}

function passThrough(bytes: Buffer): Buffer {
  return bytes
}
