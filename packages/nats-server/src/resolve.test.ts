import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { resolveNatsServer } from './index.ts'

const dir = mkdtempSync(join(tmpdir(), 'resolve-test-'))
after(() => rmSync(dir, { recursive: true }))

function executable(...path: string[]): string {
  const file = join(dir, ...path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, '#!/bin/sh\nexit 0\n')
  chmodSync(file, 0o755)
  return file
}

async function found(options: object, env: Record<string, string>): Promise<unknown[]> {
  const resolved = await resolveNatsServer({ ...options, env })
  return resolved.kind === 'binary' ? [resolved.path, resolved.source] : []
}

describe('resolveNatsServer', () => {
  const inPath = executable('path', 'nats-server')
  const inSystem = executable('sbin', 'nats-server')
  const inCache = executable('cache', 'nats-server')
  const option = executable('option', 'my-server')
  const everywhere = {
    binary: option,
    cacheDir: join(inCache, '..'),
    systemDirs: [join(inSystem, '..')],
    fetch: false,
  }
  const PATH = `/nowhere:${join(inPath, '..')}`

  it('takes NATS_URL before everything else', async () => {
    const env = { PATH, NATS_URL: ' nats://elsewhere:4222 ' }
    assert.deepEqual(await resolveNatsServer({ ...everywhere, env }), {
      kind: 'external',
      url: 'nats://elsewhere:4222',
    })
  })

  it('then the option, PATH, the system folders, the cache', async () => {
    const { binary, ...noBinary } = everywhere
    assert.deepEqual(await found({ ...noBinary, binary }, { PATH }), [option, 'option'])
    assert.deepEqual(await found(noBinary, { PATH }), [inPath, 'path'])
    assert.deepEqual(await found(noBinary, { PATH: '' }), [inSystem, 'path'])
    assert.deepEqual(await found({ ...noBinary, systemDirs: [] }, {}), [inCache, 'cache'])
  })

  it('refuses a binary that cannot be executed', async () => {
    const binary = join(dir, 'plain.txt')
    writeFileSync(binary, '')
    await assert.rejects(resolveNatsServer({ binary, env: {} }), { code: 'invalid_option' })
    await assert.rejects(resolveNatsServer({ binary: dir, env: {} }), { code: 'invalid_option' })
  })

  it('says how to get a server where there is none', async () => {
    const options = { env: { PATH: '' }, systemDirs: [], cacheDir: join(dir, 'empty') }
    await assert.rejects(resolveNatsServer(options), (error: Error & { code?: string }) => {
      assert.equal(error.code, 'not_found')
      assert.match(error.message, /apt-get install nats-server/)
      assert.match(error.message, /NATS_URL=/)
      assert.match(error.message, /no apt-get/)
      return true
    })
    await assert.rejects(resolveNatsServer({ ...options, fetch: false }), /switched off/)
  })

  it('fetches the Debian package where only apt-get is there', async () => {
    const tools = join(dir, 'tools')
    mkdirSync(tools)
    for (const tool of ['apt-get', 'dpkg-deb']) symlinkSync(join('/usr/bin', tool), join(tools, tool))
    const cacheDir = join(dir, 'fetched')
    const progress: string[] = []
    const options = {
      env: { PATH: '' },
      systemDirs: [tools],
      cacheDir,
      onProgress: (line: string) => void progress.push(line),
    }
    const expected = { kind: 'binary', path: join(cacheDir, 'nats-server') }
    assert.deepEqual(await resolveNatsServer(options), { ...expected, source: 'debian' })
    assert.match(execFileSync(expected.path, ['--version'], { encoding: 'utf8' }), /^nats-server: v2\./)
    assert.match(progress.join('\n'), /fetching the Debian package/)
    assert.deepEqual(await resolveNatsServer(options), { ...expected, source: 'cache' })
  })
})
