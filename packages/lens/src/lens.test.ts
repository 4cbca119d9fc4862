import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { LensError } from './errors.ts'
import type { LensOptions } from './lens.ts'
import { portOf } from './listen.ts'
import { getJson, startTestLens } from './testing/start.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'lens-'))
after(() => rmSync(dataDir, { recursive: true }))

const request = {
  resourceSpans: [
    {
      scopeSpans: [
        {
          spans: [
            {
              traceId: '0af7651916cd43dd8448eb211c80319c',
              spanId: 'b7ad6b7169203331',
              name: 'hello',
              startTimeUnixNano: '1790000000000000000',
              endTimeUnixNano: '1790000000000000001',
            },
          ],
        },
      ],
    },
  ],
}

describe('Lens', () => {
  it('keeps its data over a restart', async () => {
    const first = await startTestLens({ dataDir })
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify(request)
    await fetch(`http://127.0.0.1:${first.httpPort}/v1/traces`, { method: 'POST', body, headers })
    await Promise.all([first.stop(), first.stop()])
    const second = await startTestLens({ dataDir })
    const trace = await getJson(`${second.url}/api/traces/0af7651916cd43dd8448eb211c80319c`)
    await second.stop()
    assert.deepEqual(
      [trace.status, trace.body.rootName, trace.body.rootService],
      [200, 'hello', 'unknown_service'],
    )
  })

  it('names the port that is in use, and how to choose another', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    const taken = portOf(other.address())
    for (const [option, flag] of [
      ['otlpGrpcPort', '--otlp-grpc-port'],
      ['otlpHttpPort', '--otlp-http-port'],
      ['port', '--port'],
    ] as const)
      await assert.rejects(startTestLens({ dataDir, [option]: taken }), (error: unknown) => {
        assert.ok(error instanceof LensError)
        assert.equal(error.code, 'port_in_use')
        assert.ok(
          error.message.includes(`port ${taken} on 127.0.0.1 is in use`) && error.message.includes(flag),
        )
        return true
      })
    // Each failed start has closed the store and the other servers: else this one could not open the same file.
    await (await startTestLens({ dataDir })).stop()
    other.close()
  })

  const bad: readonly [LensOptions, RegExp][] = [
    [{ port: 65_536 }, /^port is 65536; allowed: a whole number from 0 to 65535/],
    [{ otlpGrpcPort: -1 }, /^otlpGrpcPort is -1;/],
    [{ otlpHttpPort: 1.5 }, /^otlpHttpPort is 1.5;/],
    [{ retentionHours: 0 }, /^retentionHours is 0; allowed: a number above 0/],
    [{ retentionBytesMax: Number.NaN }, /^retentionBytesMax/],
    [{ host: '' }, /^host is ""/],
    [{ dataDir: '' }, /^dataDir is ""/],
  ]
  for (const [options, message] of bad)
    it(`refuses ${JSON.stringify(options)}`, async () => {
      await assert.rejects(startTestLens(options), { code: 'invalid_option', message })
    })

  it('says so when it cannot listen on an address', async () => {
    await assert.rejects(startTestLens({ host: '192.0.2.1' }), { code: 'listen_failed' })
  })
})
