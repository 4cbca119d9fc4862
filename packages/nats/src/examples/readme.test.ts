import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { startNatsServer } from '@throughline/nats-server'
import { main } from './readme.ts'

it('the example of the README runs, and is the one in the README', async () => {
  const server = await startNatsServer({ jetstream: true, env: { PATH: process.env['PATH'] } })
  try {
    assert.equal(await main(server.url), 'paid')
  } finally {
    await server.stop()
  }
  const folder = new URL('../../', import.meta.url)
  const example = readFileSync(new URL('src/examples/readme.ts', folder), 'utf8')
  const code = example.slice(example.indexOf('\n') + 1)
  assert.ok(readFileSync(new URL('README.md', folder), 'utf8').includes(code), 'README.md has another text')
})
