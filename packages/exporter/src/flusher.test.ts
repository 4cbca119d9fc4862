import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { flushSpool } from './flush-spool.ts'
import { accept, startHttpPeer, unusedPort } from './testing/http-peer.ts'
import { runProgram } from './testing/run-program.ts'
import { spanNames, spoolFolder } from './testing/spool-folder.ts'
import { FlusherClaim } from './worker/flusher-claim.ts'

const hanging: ServerResponse[] = []
const hang = (response: ServerResponse): void => {
  hanging.push(response)
}

/** The flusher is nobody's child any more, so that its end is seen by what it leaves. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await setTimeout(20)
}

const flushed = (dir: string): Promise<void> => until(() => readdirSync(join(dir, 'traces')).length === 0)

const claimsIn = (
  t: Parameters<typeof spoolFolder>[0],
): { dir: string; first: FlusherClaim; second: FlusherClaim } => {
  const { dir } = spoolFolder(t)
  return { dir, first: new FlusherClaim(dir), second: new FlusherClaim(dir) }
}

const abandon = async (dir: string, name: string): Promise<void> => {
  const exporter = { endpoint: 'http://127.0.0.1:1', resource: { 'service.name': name }, spool: { dir } }
  await runProgram('endSpans(2); process.exit()', { exporter })
}

describe('the detached flusher', () => {
  it('delivers what a short program leaves, and takes its traces with it', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { dir } = spoolFolder(t)
    const exporter = { endpoint: peer.url, spool: { dir, flusher: true } }
    const end = await runProgram(
      'endSpans(3); await exporter.shutdown(); console.log(JSON.stringify(exporter.ledger()))',
      {
        exporter,
      },
    )
    const ledger = { ended: 3, delivered: 0, pending: 0, spooled: 3, dropped: {} }
    assert.deepEqual(end, { code: 0, signal: null, stdout: `${JSON.stringify(ledger)}\n`, stderr: '' })
    await peer.received(1)
    assert.deepEqual(spanNames(peer.requests[0]?.body ?? Buffer.alloc(0)), ['span 0', 'span 1', 'span 2'])
    await flushed(dir)
  })

  for (const [how, code] of [
    ['', 0],
    ['process.exit(3)', 3],
    ['throw new Error("boom")', 1],
  ] as const)
    it(`delivers after ${how === '' ? 'a natural end' : how}, which waits for nobody`, async (t) => {
      const peer = await startHttpPeer(hang)
      t.after(peer.stop)
      const { dir } = spoolFolder(t)
      const exporter = { endpoint: peer.url, spool: { dir, flusher: true }, timeoutMs: 60_000 }
      const end = await runProgram(`endSpans(2)\n${how}`, { exporter })
      assert.equal(end.code, code)
      assert.doesNotMatch(end.stderr, /throughline/)
      // The collector has not answered anybody.
      await peer.received(1)
      for (const response of hanging.splice(0)) response.end()
      await flushed(dir)
    })

  it('is given its headers, but not where everybody can read them', async (t) => {
    const peer = await startHttpPeer(hang)
    t.after(peer.stop)
    const { dir } = spoolFolder(t)
    const headers = { 'x-api-key': 'a-secret' }
    await runProgram('endSpans(1)', {
      exporter: { endpoint: peer.url, headers, spool: { dir, flusher: true } },
    })
    await peer.received(1)
    assert.equal(peer.requests[0]?.headers['x-api-key'], 'a-secret')
    const claim = JSON.parse(readFileSync(join(dir, 'traces', 'flusher'), 'utf8'))
    const commandLine = `/proc/${claim.process.pid}/cmdline`
    if (existsSync(commandLine)) {
      assert.match(readFileSync(commandLine, 'utf8'), /flusher\.js/)
      assert.doesNotMatch(readFileSync(commandLine, 'utf8'), /a-secret/)
    }
    for (const response of hanging.splice(0)) response.end()
    await flushed(dir)
  })

  it('is not started while another has failed a moment ago; the next one delivers for both', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { dir, spanNames: waiting } = spoolFolder(t)
    mkdirSync(join(dir, 'traces'))
    const claim = new FlusherClaim(join(dir, 'traces'))
    claim.pause()
    const exporter = { endpoint: peer.url, spool: { dir, flusher: true } }
    await runProgram('endSpans(1)', { exporter })
    assert.equal(peer.connectionCount(), 0)
    assert.deepEqual(waiting(), ['span 0'])
    claim.release()
    await runProgram('endSpans(1)', { exporter })
    await flushed(dir)
    assert.equal(peer.requests.flatMap(({ body }) => spanNames(body)).length, 2)
  })
})

describe('the claim of the flusher', () => {
  it('is one process’s, until that is gone or gives it back', async (t) => {
    const { first, second } = claimsIn(t)
    assert.equal(first.tryTake(), true)
    assert.equal(second.tryTake(), false)
    first.holdAs(process.pid)
    assert.equal(second.tryTake(), false)
    first.release()
    assert.equal(second.tryTake(), true)
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'close')
    second.holdAs(child.pid ?? 0)
    assert.equal(first.tryTake(), true)
  })

  it('is nobody’s when it was not renewed for long, or is rubbish and old', (t) => {
    const { dir, first, second } = claimsIn(t)
    const path = join(dir, 'flusher')
    for (const text of ['', '{"process":{}}', 'null']) {
      writeFileSync(path, text)
      assert.equal(second.tryTake(), false)
      utimesSync(path, 1, 1)
      assert.equal(second.tryTake(), true)
    }
    first.holdAs(process.pid)
    utimesSync(path, 1, 1)
    assert.equal(second.tryTake(), true)
  })

  it('is lost by a flusher when another has it', (t) => {
    const { first, second } = claimsIn(t)
    first.holdAs(process.ppid)
    assert.equal(second.keep(), false)
    first.release()
    assert.equal(second.keep(), true)
    assert.equal(second.keep(), true)
  })

  it('is nobody’s for longer and longer after each failure', (t) => {
    const { dir, first, second } = claimsIn(t)
    const path = join(dir, 'flusher')
    const pauses = Array.from({ length: 7 }, () => {
      const startMs = Date.now()
      first.pause()
      assert.equal(second.tryTake(), false)
      return Math.floor((JSON.parse(readFileSync(path, 'utf8')).pausedUntilMs - startMs) / 1000)
    })
    assert.deepEqual(pauses, [15, 30, 60, 120, 240, 300, 300])
    const claim = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...claim, pausedUntilMs: 1 }))
    assert.equal(second.tryTake(), true)
    second.pause()
    assert.equal(JSON.parse(readFileSync(path, 'utf8')).failureCount, 8)
  })
})

describe('flushSpool', () => {
  it('delivers what all of them have left, and says whose it was', async (t) => {
    const peer = await startHttpPeer(accept)
    t.after(peer.stop)
    const { dir } = spoolFolder(t)
    for (const name of ['a', 'b']) await abandon(dir, name)
    const result = await flushSpool({ dir, signal: 'traces', endpoint: peer.url, protocol: 'http/protobuf' })
    const { adopted, deliveredItemCount, leftItemCount, leftRecordCount, dropped } = result
    assert.deepEqual([deliveredItemCount, leftItemCount, leftRecordCount, dropped], [4, 0, 0, {}])
    assert.deepEqual(
      adopted.map(({ name, reason, itemCount }) => `${name}, ${reason}, ${itemCount}`).toSorted(),
      ['a, exit code 0, 2', 'b, exit code 0, 2'],
    )
    assert.deepEqual(readdirSync(join(dir, 'traces')), [])
  })

  it('leaves everything where it is when the collector is away, and says why', async (t) => {
    const { dir, spanNames: waiting } = spoolFolder(t)
    await abandon(dir, 'a')
    const endpoint = `http://127.0.0.1:${await unusedPort()}`
    const result = await flushSpool({
      dir,
      signal: 'traces',
      endpoint,
      protocol: 'http/protobuf',
      idleMsMax: 1,
    })
    assert.deepEqual([result.deliveredItemCount, result.leftItemCount, result.leftRecordCount], [0, 2, 1])
    assert.match(result.cause, /ECONNREFUSED/)
    assert.deepEqual(waiting(), ['span 0', 'span 1'])
  })

  it('counts what the collector refuses for good', async (t) => {
    const peer = await startHttpPeer((response) => response.writeHead(400).end())
    t.after(peer.stop)
    const { dir } = spoolFolder(t)
    await abandon(dir, 'a')
    const result = await flushSpool({ dir, signal: 'traces', endpoint: peer.url, protocol: 'http/protobuf' })
    assert.deepEqual([result.dropped, result.leftItemCount], [{ http_400: 2 }, 0])
  })

  it('refuses wrong options', async (t) => {
    const { dir } = spoolFolder(t)
    const options = { dir, signal: 'traces', endpoint: 'ftp://x', protocol: 'http/protobuf' } as const
    await assert.rejects(flushSpool(options), { code: 'invalid_option' })
  })
})
