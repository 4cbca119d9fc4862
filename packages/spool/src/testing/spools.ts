import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { openSpool, type ProcessProbe, type Spool, type SpoolOptions, type SpoolRecord } from '../index.ts'

/** A path that is not there yet. */
export function newDir(t: Pick<TestContext, 'after'>): string {
  const dir = mkdtempSync(join(tmpdir(), 'spool-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'spool')
}

/** What a process sees of itself, and who is dead for it. Every process of a test is one of these. */
export function fakeProcess(pid: number, deadPids: readonly number[] = []): ProcessProbe {
  return {
    self: () => ({ pid, startTime: '1', bootId: 'boot', pidNamespace: 'ns', host: 'host' }),
    isGone: (identity) => deadPids.includes(identity.pid),
  }
}

/** A spool whose process has died with what was in it: it never says another word. */
export function abandonedSpool(options: SpoolOptions, texts: readonly string[]): Spool {
  const spool = openSpool({ processes: fakeProcess(1), ...options })
  for (const text of texts) spool.giveBack(append(spool, text))
  return spool
}

/** A spool in a process for which process 1 has died. */
export function nextSpool(options: SpoolOptions): Spool {
  return openSpool({ processes: fakeProcess(2, [1]), ...options })
}

export function append(spool: Spool, text: string): SpoolRecord {
  const result = spool.append({ kind: 1, itemCount: 10, payload: Buffer.from(text) })
  assert.ok(result.ok, 'it was appended')
  return result.record
}

/** Takes and acknowledges all that waits. */
export function takeAll(spool: Spool): string[] {
  const texts: string[] = []
  for (let taken = spool.take(); taken !== undefined; taken = spool.take()) {
    texts.push(Buffer.from(taken.payload).toString())
    spool.acknowledge(taken.record)
  }
  return texts
}
