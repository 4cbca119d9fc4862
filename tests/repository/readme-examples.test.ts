import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Every README.md of the repository, and the pages below docs, relative to the root. */
function documents(): string[] {
  const folders = ['packages', 'apps'].flatMap((dir) =>
    readdirSync(join(root, dir)).map((name) => join(dir, name)),
  )
  const readmes = ['.', 'bench', ...folders].map((folder) => join(folder, 'README.md'))
  const pages = readdirSync(join(root, 'docs')).map((name) => join('docs', name))
  return [...readmes, ...pages.filter((page) => page.endsWith('.md'))].filter((path) =>
    existsSync(join(root, path)),
  )
}

/** The fenced `ts` blocks of a document, each behind as many empty lines as stand above it: tsc then names its lines. */
function examplesOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```ts\n(.*?)^```$/gms)].map(({ 1: code = '', index }) => {
    const linesAbove = markdown.slice(0, index).split('\n').length
    return `${'\n'.repeat(linesAbove)}${code}export {}\n`
  })
}

/** Writes the examples and compiles all of them in one call. Gives what tsc says; nothing when all is well. */
function compile(examples: ReadonlyMap<string, string>, folder: string): string {
  const dir = join(root, '.cache', folder)
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  for (const [name, code] of examples) writeFileSync(join(dir, name), code)
  const config = {
    extends: '../../tsconfig.base.json',
    compilerOptions: {
      noEmit: true,
      composite: false,
      incremental: false,
      isolatedDeclarations: false,
      noUnusedLocals: false,
      // The declarations of @nats-io contradict exactOptionalPropertyTypes.
      skipLibCheck: true,
    },
    files: [...examples.keys()],
  }
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(config))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { stdout, stderr } = spawnSync(process.execPath, [tsc, '-p', dir], { cwd: dir, encoding: 'utf8' })
  return stdout + stderr
}

test('the TypeScript examples of every README and document compile against the built packages', () => {
  const examples = new Map<string, string>()
  for (const path of documents()) {
    const blocks = examplesOf(readFileSync(join(root, path), 'utf8'))
    for (const [index, code] of blocks.entries())
      examples.set(`${path.replaceAll('/', '-')}-${index + 1}.ts`, code)
  }
  assert.ok(examples.size > 5, `${examples.size} examples found`)
  assert.equal(compile(examples, 'readme-examples'), '')
})

test('an example that does not compile is told with the line of its document', () => {
  const [code = ''] = examplesOf(
    '# Title\n\n```ts\nconst count: number = 1\nconst text: string = count\n```\n',
  )
  assert.match(compile(new Map([['bad.ts', code]]), 'readme-bad-example'), /bad\.ts\(5,7\): error TS2322/)
})

test('every published package has a README with its limits and a pointer to the reference', () => {
  for (const name of readdirSync(join(root, 'packages'))) {
    const text = readFileSync(join(root, 'packages', name, 'README.md'), 'utf8')
    for (const part of ['## Limits\n', 'docs/reference.md'])
      assert.ok(text.includes(part), `${name}: ${part}`)
  }
})
