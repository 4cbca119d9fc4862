import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { type OtlpExporterOptions, resolveOptions } from './options.ts'

const base: OtlpExporterOptions = {
  endpoint: 'http://collector:4318',
  protocol: 'http/protobuf',
  resource: {},
  clock: { originUnixNano: 0n },
}

describe('exporter options', () => {
  it('names the package and its version to the collector', () => {
    const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
    const { headers } = resolveOptions(base).worker
    assert.equal(headers['user-agent'], `throughline-otlp-exporter/${version} node/${process.versions.node}`)
  })

  it('names the option, the value and what is allowed', () => {
    assert.equal(messageOf({}), 'taken')
    assert.equal(
      messageOf({ protocol: 'http/xml' }),
      'protocol "http/xml" must be one of: grpc, http/protobuf, http/json',
    )
    assert.equal(messageOf({ compression: 'zstd' }), 'compression "zstd" must be one of: none, gzip')
    assert.equal(messageOf({ timeoutMs: 0 }), 'timeoutMs 0 must be a whole number from 1 to 99999999')
    assert.equal(messageOf({ timeoutMs: 1 }), 'taken')
    assert.equal(messageOf({ timeoutMs: 99_999_999 }), 'taken')
    assert.match(messageOf({ timeoutMs: 100_000_000 }), /^timeoutMs/)
    assert.match(messageOf({ scheduleDelayMs: 0.5 }), /^scheduleDelayMs 0.5/)
    assert.match(messageOf({ queueBytesMax: Number.NaN }), /^queueBytesMax NaN/)
    assert.match(messageOf({ retry: { initialDelayMs: -1 } }), /^retry.initialDelayMs -1/)
    assert.equal(
      messageOf({ headers: { 'Content-Type': 'x' } }),
      'headers: "Content-Type" is set by the exporter itself',
    )
    assert.equal(messageOf({ headers: { 'a b': 'x' } }), 'headers: "a b" is no header name')
  })

  it('takes headers in any case and does not show the value of a wrong one', () => {
    assert.equal(resolveOptions({ ...base, headers: { 'X-API-Key': 'k' } }).worker.headers['x-api-key'], 'k')
    assert.throws(() => resolveOptions({ ...base, headers: { key: 'secret\r\n' } }), {
      message: 'headers: the value of "key" has characters that no header may have',
    })
  })
})

function messageOf(changes: object): string {
  try {
    resolveOptions({ ...base, ...changes })
    return 'taken'
  } catch (error) {
    return error instanceof Error ? error.message : ''
  }
}
