import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { openSpool, type Spool } from './index.ts'

function newDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'spool-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  return join(dir, 'spool')
}

function append(spool: Spool, text: string) {
  const result = spool.append({ kind: 1, itemCount: text.length, payload: Buffer.from(text) })
  assert.ok(result.ok)
  return result.record
}

function takeAll(spool: Spool): string[] {
  const texts: string[] = []
  for (let taken = spool.take(); taken !== undefined; taken = spool.take()) {
    texts.push(Buffer.from(taken.payload).toString())
    spool.acknowledge(taken.record)
  }
  return texts
}

describe('spool', () => {
  it('gives back what was appended, once', (t) => {
    const spool = openSpool({ dir: newDir(t) })
    spool.giveBack(append(spool, 'one'))
    const held = append(spool, 'held')
    spool.giveBack(append(spool, 'three'))
    assert.deepEqual(takeAll(spool), ['one', 'three'])
    spool.giveBack(held)
    assert.deepEqual(takeAll(spool), ['held'])
    assert.deepEqual(takeAll(spool), [])
    spool.release('')
  })

  it('touches no disk until the first append, and leaves nothing when nothing waits', (t) => {
    const dir = newDir(t)
    const spool = openSpool({ dir })
    assert.deepEqual(spool.adopt(), { owners: [], failure: undefined })
    assert.throws(() => readdirSync(dir))
    spool.acknowledge(append(spool, 'x'))
    assert.equal(spool.release('end'), undefined)
    assert.deepEqual(readdirSync(dir), [])
  })

  it('is adopted after its release, by one', (t) => {
    const dir = newDir(t)
    const first = openSpool({ dir, name: 'shop' })
    for (const text of ['a', 'bb', 'ccc']) first.giveBack(append(first, text))
    const taken = first.take()
    assert.ok(taken)
    first.acknowledge(taken.record)
    first.release('SIGTERM')
    const second = openSpool({ dir })
    const third = openSpool({ dir })
    const [owner] = second.adopt().owners
    assert.deepEqual(third.adopt().owners, [])
    assert.equal(owner?.name, 'shop')
    assert.equal(owner.reason, 'SIGTERM')
    assert.equal(owner.itemCount, 5)
    assert.deepEqual(takeAll(second), ['bb', 'ccc'])
    second.release('')
    assert.deepEqual(readdirSync(dir), [])
  })
})
