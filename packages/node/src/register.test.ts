import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

const register = new URL('./register.js', import.meta.url).href
const api = import.meta.resolve('@opentelemetry/api')
const program = `import { trace } from ${JSON.stringify(api)}; trace.getTracer('x').startSpan('a').end()`

async function run(env: Record<string, string>): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const args = ['--import', register, '--input-type=module', '-e', program]
  const child = spawn(process.execPath, args, { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, [code]] = await Promise.all([
    child.stdout.toArray(),
    child.stderr.toArray(),
    once(child, 'exit'),
  ])
  return { code, stdout: out.join(''), stderr: err.join('') }
}

test('the environment alone turns tracing on for a program that knows nothing of us', async () => {
  const { code, stdout } = await run({ OTEL_TRACES_EXPORTER: 'console', OTEL_SERVICE_NAME: 'by-name' })
  assert.equal(code, 0)
  const span = JSON.parse(stdout) as { name: string; resource: object }
  assert.equal(span.name, 'a')
  assert.match(JSON.stringify(span.resource), /"service\.name":"by-name"/)
})

test('without a name the service is called after the program', async () => {
  const { stdout } = await run({ OTEL_TRACES_EXPORTER: 'console' })
  assert.match(stdout, /"service\.name": "unknown_service:node"/)
})

test('a value that cannot be used ends the start with a message and a failing exit code', async () => {
  const { code, stderr } = await run({ OTEL_TRACES_EXPORTER: 'zipkin' })
  assert.equal(code, 1)
  assert.match(stderr, /OTEL_TRACES_EXPORTER: "zipkin" is not valid; allowed: none, stdout \(console\), otlp/)
})

test('OTEL_SDK_DISABLED leaves the program alone', async () => {
  const disabled = { OTEL_SDK_DISABLED: 'true', OTEL_TRACES_EXPORTER: 'console' }
  assert.deepEqual(await run(disabled), { code: 0, stdout: '', stderr: '' })
})
