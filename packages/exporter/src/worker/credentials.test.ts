import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, it, type TestContext } from 'node:test'
import type { WorkerConfig } from '../messages.ts'
import { authorityCert, clientCert, clientKey, serverCert, serverKey } from '../testing/certificates.ts'
import { workerConfig } from '../testing/worker-config.ts'
import { type CredentialSource, openCredentials } from './credentials.ts'

let said: string[] = []
beforeEach(() => {
  said = []
})

function open(changes: Partial<WorkerConfig>): CredentialSource {
  const config = workerConfig({ protocol: 'grpc', url: 'https://collector:4317/', ...changes })
  return openCredentials(config, (message) => said.push(message))
}

function folder(t: TestContext): (name: string) => string {
  const path = mkdtempSync(join(tmpdir(), 'throughline-credentials-'))
  t.after(() => rmSync(path, { recursive: true }))
  return (name) => join(path, name)
}

/** The number that tells transports to connect anew, or why there are no credentials. */
function tlsVersion(source: CredentialSource): number | string {
  const current = source()
  return 'cause' in current ? current.cause : current.tlsVersion
}

function headers(source: CredentialSource): unknown {
  const current = source()
  return 'cause' in current ? current.cause : current.headers
}

describe('certificate files', () => {
  it('PEM texts and files are taken alike, and nothing changes while the files do not', (t) => {
    const at = folder(t)
    writeFileSync(at('ca.pem'), authorityCert)
    const source = open({ tls: { ca: at('ca.pem'), cert: clientCert, key: clientKey } })
    assert.equal(tlsVersion(source), 1)
    assert.equal(tlsVersion(source), 1)
    const first = source()
    assert.ok('secureContext' in first && first.secureContext !== undefined)
    assert.equal(tlsVersion(open({ tls: { ca: authorityCert } })), 1)
    assert.equal(tlsVersion(open({ url: 'http://collector:4317/' })), 0, 'plaintext reads nothing')
  })

  it('a file that is written anew, replaced by renaming, or reached over another symlink is read again', (t) => {
    const at = folder(t)
    writeFileSync(at('ca.pem'), authorityCert)
    const written = open({ tls: { ca: at('ca.pem') } })
    assert.equal(tlsVersion(written), 1)
    writeFileSync(at('ca.pem'), authorityCert + serverCert)
    assert.equal(tlsVersion(written), 2)
    writeFileSync(at('new.pem'), authorityCert + serverCert)
    renameSync(at('new.pem'), at('ca.pem'))
    assert.equal(tlsVersion(written), 3)

    // As Kubernetes does it: file -> ..data/file, ..data -> a folder with the time in its name.
    for (const time of ['1', '2']) {
      mkdirSync(at(time))
      writeFileSync(join(at(time), 'ca.pem'), authorityCert)
    }
    symlinkSync(at('1'), at('..data'))
    symlinkSync(join(at('..data'), 'ca.pem'), at('mounted.pem'))
    const mounted = open({ tls: { ca: at('mounted.pem') } })
    assert.equal(tlsVersion(mounted), 1)
    symlinkSync(at('2'), at('..data_tmp'))
    renameSync(at('..data_tmp'), at('..data'))
    assert.equal(tlsVersion(mounted), 2)
    assert.deepEqual(said, [])
  })

  it('a bad or half-written file changes nothing, is said once, and the whole one is taken then', (t) => {
    const at = folder(t)
    writeFileSync(at('ca.pem'), authorityCert)
    const source = open({ tls: { ca: at('ca.pem') } })
    const good = source()
    const halfBundle = authorityCert + serverCert.slice(0, 300)
    const bad = ['', authorityCert.slice(0, 300), halfBundle, 'garbage', serverKey]
    for (const [index, text] of bad.entries()) {
      writeFileSync(at('ca.pem'), text)
      assert.deepEqual([source(), source()], [good, good], `${index}`)
      assert.equal(said.length, index + 1)
      assert.match(said[index] ?? '', /^cannot use .*ca\.pem: .*; what was read before stays in use$/)
      assert.ok(!(said[index] ?? '').includes('MIGH'), 'nothing of a key is shown')
    }
    unlinkSync(at('ca.pem'))
    assert.deepEqual(source(), good)
    assert.match(said.at(-1) ?? '', /ENOENT/)
    writeFileSync(at('ca.pem'), serverCert)
    assert.equal(tlsVersion(source), 2)
    assert.equal(said.length, bad.length + 1)
  })

  it('a certificate without its key is no pair: both old ones stay until the second file is there too', (t) => {
    const at = folder(t)
    writeFileSync(at('cert.pem'), clientCert)
    writeFileSync(at('key.pem'), clientKey)
    const source = open({ tls: { cert: at('cert.pem'), key: at('key.pem') } })
    assert.equal(tlsVersion(source), 1)
    writeFileSync(at('cert.pem'), serverCert)
    assert.equal(tlsVersion(source), 1)
    assert.match(said.join(), /key values mismatch/)
    writeFileSync(at('key.pem'), serverKey)
    assert.equal(tlsVersion(source), 2)
    assert.equal(said.length, 1)
  })

  it('a file that was never good is a cause, until it is there', (t) => {
    const at = folder(t)
    const source = open({ tls: { ca: at('ca.pem') } })
    assert.match(String(tlsVersion(source)), /^cannot use .*ca\.pem: ENOENT/)
    assert.deepEqual(said, [], 'the attempt that fails by it says it')
    writeFileSync(at('ca.pem'), authorityCert)
    assert.equal(tlsVersion(source), 1)
  })
})

describe('headers file', () => {
  it('is read again when it changes, and headers in code win', (t) => {
    const at = folder(t)
    writeFileSync(at('headers'), '# key of the week\nAuthorization: Bearer a:b==\n\nX-Scope: file\r\n')
    const source = open({ headersFile: at('headers'), headers: { 'x-scope': 'code' } })
    assert.deepEqual(headers(source), { authorization: 'Bearer a:b==', 'x-scope': 'code' })
    writeFileSync(at('headers'), 'authorization: next')
    assert.deepEqual(headers(source), { authorization: 'next', 'x-scope': 'code' })
    assert.equal(tlsVersion(source), 1, 'connections stay')
  })

  it('a bad line keeps what was, and nothing of it is shown', (t) => {
    const at = folder(t)
    writeFileSync(at('headers'), 'authorization: first')
    const source = open({ headersFile: at('headers') })
    assert.deepEqual(headers(source), { authorization: 'first' })
    for (const text of [
      '',
      '# secret',
      'secret',
      'ok: 1\nsec ret: secret',
      'a: secret\0',
      'content-type: secret',
    ]) {
      said = []
      writeFileSync(at('headers'), text)
      assert.deepEqual(headers(source), { authorization: 'first' })
      assert.equal(said.length, 1, text)
      assert.ok(!said.join().includes('secret'), said.join())
    }
    assert.match(said.join(), /"content-type" is set by the exporter itself/)
  })

  it('is waited for when it is not there', (t) => {
    const at = folder(t)
    const source = open({ headersFile: at('headers') })
    assert.match(String(headers(source)), /^cannot use .*headers: ENOENT/)
  })
})
