import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

// Log lines of a real program that ends right after them, in a real Lens, as its user sees them.

const throughline = fileURLToPath(new URL('../../../packages/cli/dist/bin.js', import.meta.url))
const program = fileURLToPath(new URL('./programs/logs.js', import.meta.url))

describe('log lines of a program that ends at once', () => {
  let lens: ChildProcess
  let apiUrl = ''
  let otlpUrl = ''

  before(async () => {
    const ports = ['--port', '0', '--otlp-grpc-port', '0', '--otlp-http-port', '0']
    lens = spawn(process.execPath, [throughline, 'lens', ...ports, '--memory'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    assert.ok(lens.stdout !== null)
    for await (const line of createInterface({ input: lens.stdout })) {
      const [, what, address = ''] = /^ {2}(page and API|OTLP\/HTTP|data) +(.*)$/.exec(line) ?? []
      if (what === 'page and API') apiUrl = address
      if (what === 'OTLP/HTTP') otlpUrl = address
      if (what === 'data') break
    }
  })

  after(async () => {
    const ended = once(lens, 'exit')
    lens.kill()
    await ended
  })

  for (const [ending, code, signal] of [
    ['natural', 0, null],
    ['exit', 3, null],
    ['throw', 1, null],
    ['SIGTERM', null, 'SIGTERM'],
  ] as const)
    it(`all arrive: ${ending}`, async () => {
      const child = await run([program, ending], { OTEL_EXPORTER_OTLP_ENDPOINT: otlpUrl })
      assert.deepEqual([child.code, child.signal], [code, signal], child.stderr)
      assert.doesNotMatch(child.stderr, /throughline:/)
      const [, traceId = ''] = /"trace_id":"([0-9a-f]{32})"/.exec(child.stdout) ?? []
      const shown = await run([throughline, 'trace', traceId, '--url', apiUrl])
      assert.match(shown.stdout, /^logs +work +INTERNAL .*\n +\+[\d.]+ \S+ info inside the span$/mu)
    })
})

async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: unknown; signal: unknown; stdout: string; stderr: string }> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:OTEL|THROUGHLINE|TRACE)/.test(name))
  const child = spawn(process.execPath, args, {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code, signal, stdout, stderr }
}
