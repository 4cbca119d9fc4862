import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SignJWT } from 'jose'
import { permissions, resolvePermissions } from './permissions.ts'
import { generateToken, TokenError, verifyToken } from './token.ts'

const signingKey = 'a-signing-key-of-a-fair-length-0123456789'
const lastValid = (): Date => new Date('2026-05-30T11:59:59Z')
const firstInvalid = (): Date => new Date('2026-05-30T12:00:00Z')
const now = (): Date => new Date('2026-03-01T12:00:00Z')

describe('tokens', () => {
  it('carry subject, roles and 90 days of validity', async () => {
    const token = await generateToken({ subject: 'ada', roles: ['read'] }, { signingKey, now })
    const claims = await verifyToken(token, { signingKey, now })
    assert.deepEqual(claims, {
      subject: 'ada',
      roles: ['read'],
      audience: ['https://localhost', 'http://localhost'],
      issuedAt: new Date('2026-03-01T12:00:00Z'),
      expiresAt: new Date('2026-05-30T12:00:00Z'),
    })
  })

  it('keep the permissions asked for', async () => {
    const request = { subject: 'ada', roles: ['read'], permissions: ['command:execute'] }
    const claims = await verifyToken(await generateToken(request, { signingKey, now }), { signingKey, now })
    assert.deepEqual(claims.permissions, ['command:execute'])
  })

  it('may carry roles of the configuration, and only those', async () => {
    const options = { signingKey, now, customRoles: { operator: ['node:read', 'command:execute'] } }
    const token = await generateToken({ subject: 'ada', roles: ['operator'] }, options)
    const claims = await verifyToken(token, options)
    assert.deepEqual(resolvePermissions(claims, options.customRoles), ['node:read', 'command:execute'])
    await assert.rejects(verifyToken(token, { signingKey, now }), /unsupported role: operator/)
  })

  it('are not made for unknown roles, permissions or nobody', async () => {
    await assert.rejects(
      make('ada', ['root'], []),
      matches('invalid-roles', /^invalid roles .*unsupported role: root/),
    )
    await assert.rejects(
      make('ada', ['constructor'], []),
      matches('invalid-roles', /unsupported role: constructor/),
    )
    await assert.rejects(
      make('ada', ['read'], ['fly']),
      matches('invalid-permissions', /unsupported permission: fly/),
    )
    await assert.rejects(make('', ['read'], []), matches('invalid-subject', /subject/))
    await assert.rejects(make('ada', [], []), matches('invalid-roles', /at least one/))
  })

  it('are refused when expired, altered, signed with another key, issuer or algorithm', async () => {
    const good = await generateToken({ subject: 'ada', roles: ['read'] }, { signingKey, now })
    assert.equal((await verifyToken(good, { signingKey, now: lastValid })).subject, 'ada')
    await assert.rejects(
      verifyToken(good, { signingKey, now: firstInvalid }),
      matches('invalid-token', /expired/),
    )
    const [header, , signature] = good.split('.')
    const admin = Buffer.from(JSON.stringify({ sub: 'ada', roles: ['admin'] })).toString('base64url')
    await assert.rejects(
      verifyToken(`${header}.${admin}.${signature}`, { signingKey, now }),
      matches('invalid-token', /signature/),
    )
    await assert.rejects(
      verifyToken(good, { signingKey: 'other', now }),
      matches('invalid-token', /signature/),
    )
    await assert.rejects(
      verifyToken(await signed({ alg: 'HS512' }), { signingKey, now }),
      matches('invalid-token', /alg/),
    )
    await assert.rejects(
      verifyToken(await signed({ iss: 'x' }), { signingKey, now }),
      matches('invalid-token', /iss/),
    )
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${admin}.`
    await assert.rejects(verifyToken(unsigned, { signingKey, now }), matches('invalid-token', /alg/))
    await assert.rejects(verifyToken('garbage', { signingKey, now }), matches('invalid-token', /./))
  })

  it('are refused when their claims have the wrong shape', async () => {
    for (const claims of [
      { roles: 'admin' },
      { roles: [1] },
      { roles: ['read'], permissions: 'all' },
      { roles: [] },
    ]) {
      await assert.rejects(
        verifyToken(await signed({ claims }), { signingKey, now }),
        matches('invalid-token', /role|perm/),
      )
    }
  })
})

describe('permissions', () => {
  it('of a token replace those of its roles', () => {
    assert.deepEqual(resolvePermissions({ roles: ['admin'], permissions: ['job:read'] }), ['job:read'])
  })

  it('of the built-in roles are those of the table', () => {
    assert.deepEqual(resolvePermissions({ roles: ['admin'] }), [...permissions])
    assert.equal(resolvePermissions({ roles: ['write'] }).includes('command:execute'), false)
    assert.equal(resolvePermissions({ roles: ['read'] }).includes('audit:read'), false)
    assert.equal(resolvePermissions({ roles: ['read', 'write'] }).length, 8)
  })

  it('of a built-in role can be redefined, and unknown roles grant nothing', () => {
    assert.deepEqual(resolvePermissions({ roles: ['read'] }, { read: ['audit:read'] }), ['audit:read'])
    assert.deepEqual(resolvePermissions({ roles: ['toString', 'nobody'] }), [])
  })
})

function matches(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof TokenError)
    assert.equal(error.code, code)
    assert.match(error.message, message)
    return true
  }
}

function signed(options: { alg?: string; iss?: string; claims?: Record<string, unknown> }): Promise<string> {
  return new SignJWT({ roles: ['read'], ...options.claims })
    .setProtectedHeader({ alg: options.alg ?? 'HS256' })
    .setIssuer(options.iss ?? 'osapi')
    .setSubject('ada')
    .setIssuedAt(now())
    .setExpirationTime(Math.floor(now().getTime() / 1000) + 60)
    .sign(new TextEncoder().encode(signingKey))
}

function make(subject: string, roles: string[], granted: string[]): Promise<string> {
  return generateToken({ subject, roles, permissions: granted }, { signingKey, now })
}
