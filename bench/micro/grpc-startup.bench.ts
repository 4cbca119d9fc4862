// What a short-lived command pays for its first gRPC export: a fresh process loads a client, connects to a receiver on
// this machine and has one answer. Ours (node:http2, the exporter's own client) against @grpc/grpc-js, in turns.
// Usage, after a build: node bench/dist/micro/grpc-startup.bench.js [rounds]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import * as grpc from '@grpc/grpc-js'

const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
const ownClient = new URL('../../../packages/exporter/dist/worker/grpc-transport.js', import.meta.url).href

const start = `const startMs = performance.now(); const startCpu = process.cpuUsage()`
const report = `const cpu = process.cpuUsage(startCpu)
  console.log(JSON.stringify([performance.now() - startMs, (cpu.user + cpu.system) / 1000]))`

/** Each prints the milliseconds, and those of CPU time, from the start of its imports to the answer. */
const programs = {
  'node:http2 (ours)': (port: number) => `
    ${start}
    const { createGrpcTransport } = await import(${JSON.stringify(ownClient)})
    const transport = createGrpcTransport({
      signal: 'traces', url: 'http://127.0.0.1:${port}/', compression: 'none', timeoutMs: 10000,
    }, () => ({ headers: {}, tlsVersion: 0 }))
    const answer = await transport.send(new Uint8Array(1000))
    if (answer.kind !== 'accepted') throw new Error(answer.cause)
    ${report}
    process.exit()`,
  '@grpc/grpc-js': (port: number) => `
    ${start}
    const grpc = await import(${JSON.stringify(import.meta.resolve('@grpc/grpc-js'))})
    const client = new grpc.Client('127.0.0.1:${port}', grpc.credentials.createInsecure())
    const pass = (bytes) => bytes
    client.makeUnaryRequest('${path}', pass, pass, Buffer.alloc(1000), (error) => {
      if (error) throw error
      ${report}
      process.exit()
    })`,
}

interface Run {
  readonly wallMs: number
  /** Says more than the wall clock on a busy machine. */
  readonly cpuMs: number
}

async function runOnce(program: string): Promise<Run> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`a child ended with ${String(code)}`)
  const [wallMs = Number.NaN, cpuMs = Number.NaN]: number[] = JSON.parse(output)
  return { wallMs, cpuMs }
}

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.floor(sorted.length / 2)] ?? Number.NaN).toFixed(1)
}

const rounds = Number(process.argv[2] ?? 15)
const server = new grpc.Server()
const pass = (bytes: Buffer): Buffer => bytes
const method = {
  path,
  requestStream: false,
  responseStream: false,
  requestSerialize: pass,
  requestDeserialize: pass,
  responseSerialize: pass,
  responseDeserialize: pass,
}
server.addService(
  { Export: method },
  { Export: (_call: unknown, callback: grpc.sendUnaryData<Buffer>) => callback(null, Buffer.alloc(0)) },
)
const port = await new Promise<number>((resolve, reject) => {
  server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, boundPort) => {
    if (error === null) resolve(boundPort)
    else reject(error)
  })
})

const runs = new Map<string, Run[]>(Object.keys(programs).map((name) => [name, []]))
for (let round = 0; round < rounds; round++)
  for (const [name, program] of Object.entries(programs)) runs.get(name)?.push(await runOnce(program(port)))
server.forceShutdown()

console.log(
  `node ${process.versions.node}, medians of ${rounds} interleaved fresh processes, import to answer`,
)
for (const [name, list] of runs)
  console.log(
    `${name.padEnd(18)} ${median(list.map(({ wallMs }) => wallMs))} ms, CPU ${median(list.map(({ cpuMs }) => cpuMs))} ms`,
  )
