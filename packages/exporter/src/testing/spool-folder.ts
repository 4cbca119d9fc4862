import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { decodeTraces } from '@throughline/otlp'
import { openSpool } from '@throughline/spool'

export interface SpoolFolder {
  readonly dir: string
  /** Names of the spans that processes which are gone have left, oldest first. They stay there. */
  readonly spanNames: () => string[]
}

/** A folder for a spool, removed after the test. */
export function spoolFolder(t: TestContext): SpoolFolder {
  const dir = mkdtempSync(join(tmpdir(), 'throughline-spool-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return {
    dir,
    spanNames: () => {
      const spool = openSpool({ dir: join(dir, 'traces') })
      spool.adopt()
      const names: string[] = []
      for (let taken = spool.take(); taken !== undefined; taken = spool.take())
        names.push(...spanNames(taken.payload))
      spool.release('looked at')
      return names
    },
  }
}

/** Names of the spans in an export request, in its order. */
export function spanNames(request: Uint8Array): string[] {
  return (decodeTraces(request).value?.resourceSpans ?? []).flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map(({ name }) => name)),
  )
}
