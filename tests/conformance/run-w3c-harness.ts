// Runs the W3C's own harness against our service. Usage: node tests/dist/conformance/run-w3c-harness.js <clone of w3c/trace-context>
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { trace } from '@opentelemetry/api'
import { TracerProvider } from '@throughline/trace'
import { createTraceContextService } from './trace-context-service.ts'

const clone = process.argv[2]
if (clone === undefined) {
  console.error('usage: node run-w3c-harness.js <clone of w3c/trace-context> [test names]')
  process.exit(2)
}

new TracerProvider().register()
const service = createTraceContextService(trace.getTracer('trace-context-service'))
const port = await listen(service)
const harness = spawn(
  process.env['PYTHON'] ?? 'python3',
  [join(clone, 'test', 'test.py'), `http://127.0.0.1:${port}/test`, ...process.argv.slice(3)],
  {
    stdio: 'inherit',
    env: { SPEC_LEVEL: '2', STRICT_LEVEL: '2', ...process.env, HARNESS_PORT: String(await freePort()) },
  },
)
const [code] = (await once(harness, 'exit')) as [number | null]
service.closeAllConnections()
service.close()
process.exitCode = code ?? 1

async function listen(server: {
  listen(port: number, host: string): unknown
  address(): unknown
  once(event: 'listening', listener: () => void): unknown
}): Promise<number> {
  const listening = new Promise<void>((resolve) => void server.once('listening', resolve))
  server.listen(0, '127.0.0.1')
  await listening
  return (server.address() as { port: number }).port
}

/** The harness wants to be told its port. */
async function freePort(): Promise<number> {
  const probe = createServer()
  const port = await listen(probe)
  probe.close()
  await once(probe, 'close')
  return port
}
