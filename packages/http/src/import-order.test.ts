import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

const parts = {
  http: `import { createServer, get } from 'node:http'`,
  instrument: `
    const { instrumentHttp } = await import(${JSON.stringify(new URL('./index.js', import.meta.url).href)})
    instrumentHttp()`,
  provider: `
    const { registerThroughline } = await import(${JSON.stringify(new URL('./testing/provider.test.kit.js', import.meta.url).href)})
    const { collector } = registerThroughline()`,
  server: `
    const server = createServer((_, response) => response.end())
    server.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.on('listening', resolve))`,
  calls: `
    const url = 'http://127.0.0.1:' + server.address().port
    await new Promise((resolve) => get(url, (response) => response.resume().on('end', resolve)))
    await (await fetch(url)).text()
    const spans = await collector.take(4)
    console.log(spans.map((span) => span.kind).sort().join() + ' in ' + new Set(spans.map((span) => span.spanContext().traceId)).size)
    process.exit()`,
}

async function run(source: string, flags: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [...flags, '-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += String(chunk)
  })
  await once(child, 'close')
  return output.trim()
}

// Two servers' spans (kind 1) and two clients' (kind 2), each pair one trace.
const expected = '1,1,2,2 in 2'

test('named imports before, a server that listens already, the provider last', async () => {
  const source = [parts.http, parts.server, parts.instrument, parts.provider, parts.calls].join('\n')
  assert.equal(await run(source, ['--input-type=module']), expected)
})

test('instrumented first', async () => {
  const source = [parts.provider, parts.instrument, parts.http, parts.server, parts.calls].join('\n')
  assert.equal(await run(source, ['--input-type=module']), expected)
})

test('CommonJS with functions taken out of the module before', async () => {
  const body = [parts.server, parts.provider, parts.instrument, parts.calls].join('\n')
  const source = `const { createServer, get } = require('node:http'); (async () => {${body}})()`
  assert.equal(await run(source, []), expected)
})
