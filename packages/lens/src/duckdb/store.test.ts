import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { sampleSpan } from '../testing/sample.ts'
import { testTraceStore } from '../testing/store-suite.ts'
import { openDuckDbStore } from './store.ts'

const directories: string[] = []
const freshDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), 'lens-store-'))
  directories.push(directory)
  return directory
}
after(() => {
  for (const directory of directories) rmSync(directory, { recursive: true })
})

testTraceStore({
  name: 'DuckDB in memory',
  open: ({ nowMs }) => openDuckDbStore({ dataDir: ':memory:', nowMs }),
})
testTraceStore({
  name: 'DuckDB in a file',
  open: ({ nowMs }) => openDuckDbStore({ dataDir: join(freshDirectory(), 'made', 'here'), nowMs }),
})

const query = { spansMax: 10, attributes: true }

/** Opens the store in `directory`, appends one span, says so on stdout, and stays. */
const holderProgram = (directory: string): string => `
  import { openDuckDbStore } from ${JSON.stringify(new URL('./store.js', import.meta.url).href)}
  import { sampleSpan } from ${JSON.stringify(new URL('../testing/sample.js', import.meta.url).href)}
  const store = await openDuckDbStore({ dataDir: ${JSON.stringify(directory)} })
  await store.append({ spans: [sampleSpan()], logs: [] })
  console.log('stored')
  setInterval(() => {}, 1000)`

async function startHolder(directory: string): Promise<{ kill(): Promise<void> }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', holderProgram(directory)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const [line] = await once(child.stdout, 'data')
  assert.match(String(line), /stored/)
  return {
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

async function runIn(dataDir: string, statements: readonly string[]): Promise<void> {
  const instance = await DuckDBInstance.create(join(dataDir, 'lens.duckdb'))
  const connection = await instance.connect()
  for (const statement of statements) await connection.run(statement)
  connection.disconnectSync()
  instance.closeSync()
}

describe('DuckDB in a file', () => {
  it('has everything after a restart, and the first arrival of a span still counts', async () => {
    const dataDir = freshDirectory()
    const span = sampleSpan({ name: 'before' })
    const first = await openDuckDbStore({ dataDir })
    await first.append({ spans: [span], logs: [] })
    await first.close()
    const second = await openDuckDbStore({ dataDir })
    await second.append({
      spans: [{ ...span, name: 'after' }, sampleSpan({ spanId: '00000000000000ff' })],
      logs: [],
    })
    const trace = await second.trace(span.traceId, query)
    await second.close()
    assert.deepEqual(
      trace?.spans.map((s) => [s.name, s.source.service]),
      [
        ['sample', 'sample'],
        ['before', 'sample'],
      ],
    )
  })

  it('knows after a restart too that an interrupted span counts before a pending one, and an ended one before both', async () => {
    const dataDir = freshDirectory()
    const { traceId } = sampleSpan()
    const pending = sampleSpan({ state: 'pending', name: 'pending' })
    const interrupted = sampleSpan({ state: 'interrupted', interruption: 'SIGTERM', name: 'interrupted' })
    const ended = sampleSpan({ name: 'ended' })
    for (const [report, winner] of [
      [interrupted, interrupted],
      [pending, interrupted],
      [ended, ended],
      [interrupted, ended],
    ] as const) {
      const store = await openDuckDbStore({ dataDir })
      await store.append({ spans: [report], logs: [] })
      assert.deepEqual((await store.trace(traceId, query))?.spans, [winner])
      await store.close()
    }
  })

  it('of the format before this one is read on, with what it has', async () => {
    const dataDir = freshDirectory()
    const first = await openDuckDbStore({ dataDir })
    await first.append({ spans: [sampleSpan()], logs: [] })
    await first.close()
    await runIn(dataDir, [
      'ALTER TABLE spans DROP COLUMN state',
      'ALTER TABLE spans DROP COLUMN interruption',
      'UPDATE lens_schema SET version = 1',
    ])
    const pending = sampleSpan({ spanId: '00000000000000ff', state: 'pending' })
    for (const expected of [
      [pending, sampleSpan()],
      [pending, sampleSpan()],
    ]) {
      const store = await openDuckDbStore({ dataDir })
      await store.append({ spans: [pending], logs: [] })
      assert.deepEqual((await store.trace(pending.traceId, query))?.spans, expected)
      await store.close()
    }
  })

  it('of a format to come is refused', async () => {
    const dataDir = freshDirectory()
    await (await openDuckDbStore({ dataDir })).close()
    await runIn(dataDir, ['UPDATE lens_schema SET version = 999'])
    await assert.rejects(openDuckDbStore({ dataDir }), { code: 'store_unreadable', message: /format 999/ })
  })

  it('has what it answered for, though its process was killed', async () => {
    const dataDir = freshDirectory()
    await (await startHolder(dataDir)).kill()
    const store = await openDuckDbStore({ dataDir })
    const trace = await store.trace(sampleSpan().traceId, query)
    await store.close()
    assert.deepEqual(trace?.spans, [sampleSpan()])
  })

  it('is refused while another process has it, and free when that one is gone', async () => {
    const dataDir = freshDirectory()
    const holder = await startHolder(dataDir)
    await assert.rejects(openDuckDbStore({ dataDir }), {
      code: 'store_locked',
      message: /in use by another Lens.*--data-dir/,
    })
    await holder.kill()
    await (await openDuckDbStore({ dataDir })).close()
  })

  it('is refused a second time in one process', async () => {
    const dataDir = freshDirectory()
    const store = await openDuckDbStore({ dataDir })
    await assert.rejects(openDuckDbStore({ dataDir }), { code: 'store_locked' })
    await store.close()
    await (await openDuckDbStore({ dataDir })).close()
  })

  it('is refused when it is no DuckDB file, or the directory is a file', async () => {
    const dataDir = freshDirectory()
    writeFileSync(join(dataDir, 'lens.duckdb'), 'x'.repeat(20_000))
    await assert.rejects(openDuckDbStore({ dataDir }), { code: 'store_unreadable' })
    await assert.rejects(openDuckDbStore({ dataDir: join(dataDir, 'lens.duckdb') }), {
      code: 'store_unreadable',
    })
  })
})
