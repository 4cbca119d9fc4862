import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const tool = fileURLToPath(new URL('../../../tools/check-layers.mjs', import.meta.url))
const scratch: string[] = []
after(() => {
  for (const dir of scratch) rmSync(dir, { recursive: true, force: true })
})

function manifest(name: string, dependencies = {}): string {
  return JSON.stringify({ name, dependencies })
}

/** A small repository of two layers in which everything is as it should be, but for `files`. */
function repositoryWith(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'layers-'))
  scratch.push(root)
  const all = {
    'package.json': JSON.stringify({ layers: [['low', 'sibling'], ['high']] }),
    'packages/low/package.json': manifest('@throughline/low'),
    'packages/low/src/index.ts': 'export const low = 1',
    'packages/sibling/package.json': manifest('@throughline/sibling'),
    'packages/sibling/src/index.ts': 'export const sibling = 1',
    'packages/high/package.json': manifest('@throughline/high', { '@throughline/low': '1' }),
    'packages/high/src/index.ts': "import { low } from '@throughline/low'\nexport const high = low",
    'apps/.keep': '',
    ...files,
  }
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

function check(files: Record<string, string>) {
  const { status, stderr } = spawnSync(process.execPath, [tool, repositoryWith(files)], { encoding: 'utf8' })
  return { status, stderr }
}

test('a repository that keeps its layers passes', () => {
  assert.deepEqual(check({}), { status: 0, stderr: '' })
})

const violations: Record<string, [Record<string, string>, RegExp]> = {
  'an import of a higher layer': [
    { 'packages/low/src/index.ts': "import '@throughline/high'" },
    /packages\/low\/src\/index\.ts: @throughline\/low \(layer 1\) must not use @throughline\/high \(layer 2\)/,
  ],
  'a re-export from a sibling': [
    { 'packages/low/src/deep/x.ts': "export { sibling } from '@throughline/sibling'" },
    /must not use @throughline\/sibling \(layer 1\)/,
  ],
  'a dynamic import of a higher layer': [
    { 'packages/low/src/index.ts': "export const later = () => import('@throughline/high/testing')" },
    /must not use @throughline\/high/,
  ],
  'a dependency on a higher layer that no source uses': [
    {
      'packages/low/package.json': '{"name":"@throughline/low","devDependencies":{"@throughline/high":"1"}}',
    },
    /packages\/low\/package\.json devDependencies/,
  ],
  'a path out of the package': [
    { 'packages/high/src/index.ts': "import '@throughline/low'\nimport '../../low/src/index.ts'" },
    /leaves its package by \.\.\/\.\.\/low\/src\/index\.ts/,
  ],
  'a workspace that no layer names': [
    { 'packages/stray/package.json': '{"name":"@throughline/stray"}', 'packages/stray/src/index.ts': '' },
    /@throughline\/stray stands in no layer/,
  ],
  'a repository in which it sees nothing': [
    { 'packages/high/package.json': '{"name":"@throughline/high"}', 'packages/high/src/index.ts': '' },
    /the check sees nothing/,
  ],
}

for (const [name, [files, message]] of Object.entries(violations)) {
  test(`${name} fails`, () => {
    const { status, stderr } = check(files)
    assert.equal(status, 1)
    assert.match(stderr, message)
  })
}
