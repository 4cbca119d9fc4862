// What @peculiar/x509 is put together with needs it there first.
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

export interface CertificateAndKey {
  /** PEM. */
  readonly cert: string
  /** PEM. */
  readonly key: string
}

export interface TestAuthority {
  /** PEM. */
  readonly ca: string
  /** A certificate for a server on 127.0.0.1, and for a client of these names. */
  issue(commonName: string, names?: x509.JsonGeneralNames): Promise<CertificateAndKey>
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/** An authority that lives as long as the test. */
export async function createTestAuthority(): Promise<TestAuthority> {
  const authorityKeys = await generateKeys()
  const validity = { notBefore: new Date(Date.now() - 3_600_000), notAfter: new Date(Date.now() + 3_600_000) }
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: 'CN=test authority',
    keys: authorityKeys,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  })
  return {
    ca: authority.toString('pem'),
    async issue(commonName, names = []) {
      const keys = await generateKeys()
      const certificate = await x509.X509CertificateGenerator.create({
        ...validity,
        subject: `CN=${commonName}`,
        issuer: authority.subject,
        publicKey: keys.publicKey,
        signingKey: authorityKeys.privateKey,
        signingAlgorithm: algorithm,
        extensions: [
          new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }, ...names]),
        ],
      })
      const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
      return {
        cert: certificate.toString('pem'),
        key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`,
      }
    },
  }
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}
