import {
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js'
import { limits } from '../limits.ts'
import { assertCanListen, type ListenTarget, listenError } from '../listen.ts'
import { decodeRequest, encodeResponse } from './codec.ts'
import type { Receiver } from './http.ts'
import type { Ingest, Signal } from './ingest.ts'

const servicePaths: Readonly<Record<Signal, string>> = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
}

/** OTLP/gRPC. Messages pass grpc-js as bytes; our decoder reads them. https://opentelemetry.io/docs/specs/otlp/#otlpgrpc */
export async function startGrpcReceiver(ingest: Ingest, target: ListenTarget): Promise<Receiver> {
  // grpc-js writes lines of its own on stderr when it cannot listen, so that is found out before it tries.
  await assertCanListen(target)
  const server = new Server({ 'grpc.max_receive_message_length': limits.inflatedBytesMax })
  for (const signal of ['traces', 'logs', 'metrics'] as const)
    server.addService(definition(signal), { Export: exportHandler(ingest, signal) })
  const port = await bind(server, target)
  return { port, stop: () => stop(server) }
}

const identity = (bytes: Buffer): Buffer => bytes

const definition = (signal: Signal): ServiceDefinition => ({
  Export: {
    path: servicePaths[signal],
    requestStream: false,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
})

const exportHandler =
  (ingest: Ingest, signal: Signal): handleUnaryCall<Buffer, Buffer> =>
  (call, callback) => {
    const decoded = decodeRequest(call.request, { signal, encoding: 'protobuf' })
    if ('error' in decoded) {
      callback({ code: status.INVALID_ARGUMENT, details: decoded.error, metadata: new Metadata() })
      return
    }
    void ingest.take(decoded).then((outcome) => {
      if (outcome.kind === 'unavailable')
        callback({ code: status.UNAVAILABLE, details: outcome.reason, metadata: new Metadata() })
      else callback(null, Buffer.from(encodeResponse(outcome, { signal, encoding: 'protobuf' })))
    })
  }

function bind(server: Server, target: ListenTarget): Promise<number> {
  const address = target.host.includes(':') ? `[${target.host}]` : target.host
  return new Promise((resolve, reject) => {
    server.bindAsync(`${address}:${target.port}`, ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port)
      else reject(listenError(target, error))
    })
  })
}

/** Answers what is under way, but does not wait for ever: idle clients keep their connection open. */
function stop(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.forceShutdown(), stopTimeoutMs)
    server.tryShutdown(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

const stopTimeoutMs = 1_000
