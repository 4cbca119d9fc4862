import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { inRepository } from '../harness/processes.ts'

interface NamedTest {
  readonly file: string
  readonly title: string
}

const read = (path: string): string => readFileSync(inRepository(path), 'utf8')

/** The tests that a text names, as `file`: “title”, “title”; a file stands for the titles behind it. */
function testsNamedIn(text: string): NamedTest[] {
  const named: NamedTest[] = []
  let file = ''
  for (const [, path, title] of text.matchAll(/`([\w./-]+\.ts)`|“([^”]+)”/gu)) {
    if (path !== undefined) file = path
    if (title !== undefined) named.push({ file, title })
  }
  return named
}

/** The first argument of a call: of test, it, or a test kit's own function. */
function hasTest({ file, title }: NamedTest): boolean {
  if (!existsSync(inRepository(file))) return false
  const escaped = title.replaceAll(/[\\^$.*+?()[\]{}|]/gu, String.raw`\$&`)
  return new RegExp(String.raw`\b(?:test|it|contract)\(\s*(['"\x60])${escaped}\1,`, 'u').test(read(file))
}

const page = read('docs/requirements.md')
const items = new Map(
  page.split(/^(?=\d+\. )/mu).flatMap((item) => {
    const [, number] = /^(\d+)\. /u.exec(item) ?? []
    return number === undefined ? [] : [[Number(number), item] as const]
  }),
)

test('docs/requirements.md has an item with at least one test for each of the requirements 1 to 48, in order', () => {
  assert.deepEqual(
    [...items.keys()],
    Array.from({ length: 48 }, (_, index) => index + 1),
  )
  for (const [number, item] of items)
    assert.ok(testsNamedIn(item).length > 0, `requirement ${number} names no test`)
})

test('every test that docs/requirements.md names exists under that title in that file', () => {
  const missing = testsNamedIn(page).filter((named) => !hasTest(named))
  assert.deepEqual(missing, [])
})

test('a file or title that does not exist is found out', () => {
  const [named] = testsNamedIn(items.get(1) ?? '')
  assert.ok(named !== undefined && hasTest(named))
  assert.equal(hasTest({ ...named, title: named.title.slice(1) }), false)
  assert.equal(hasTest({ ...named, file: 'tests/e2e/none.test.ts' }), false)
})

test('the page about distributed tracing has its diagram, recipe, configuration and related pages', () => {
  const tracing = read('docs/distributed-tracing.md')
  for (const part of [
    /^```(mermaid|text)$/mu,
    /osapi client node hostname/u,
    /grep .*trace_id=/u,
    /`?telemetry\.tracing\.enabled`?.*\n.*`?telemetry\.tracing\.exporter`?.*\n.*`?telemetry\.tracing\.otlp_endpoint`?/u,
    /^## Related/mu,
  ])
    assert.match(tracing, part)
  for (const [, target = ''] of tracing.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/gu))
    assert.ok(existsSync(inRepository(`docs/${target}`)), `docs/distributed-tracing.md links to ${target}`)
})
