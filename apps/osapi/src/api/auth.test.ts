import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { SignJWT } from 'jose'
import { permissions, resolvePermissions } from '../auth/permissions.ts'
import { startTestApi, type TestApi } from './testing/start-api.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
type Route = readonly [
  method: Method,
  path: string,
  permission: string | undefined,
  body?: object | undefined,
]

const id = '3f0f0a52-7d2f-4c7b-8a77-0d6a3c0a6d4e'

// Bodies are right and targets unknown, so that a request which is let in is refused for its target at the latest.
const routes: readonly Route[] = [
  ['GET', '/health', undefined],
  ['GET', '/health/ready', undefined],
  ['GET', '/metrics', undefined],
  ['GET', '/version', undefined],
  ['GET', '/openapi.json', undefined],
  ['GET', '/health/status', 'health:read'],
  ['GET', '/agent', 'agent:read'],
  ['GET', '/agent/nobody', 'agent:read'],
  ['POST', '/agent/nobody/drain', 'agent:write'],
  ['POST', '/agent/nobody/undrain', 'agent:write'],
  ['GET', '/audit', 'audit:read'],
  ['GET', `/audit/${id}`, 'audit:read'],
  ['GET', '/audit/export', 'audit:read'],
  ['POST', '/job', 'job:write', { operation: { type: 'node.hostname.get' }, target_hostname: 'nobody' }],
  ['GET', '/job', 'job:read'],
  ['GET', '/job/status', 'job:read'],
  ['GET', `/job/${id}`, 'job:read'],
  ['DELETE', `/job/${id}`, 'job:write'],
  ['POST', `/job/${id}/retry`, 'job:write', { target_hostname: 'nobody' }],
  ['GET', '/node/nobody', 'node:read'],
  ['GET', '/node/nobody/hostname', 'node:read'],
  ['GET', '/node/nobody/disk', 'node:read'],
  ['GET', '/node/nobody/memory', 'node:read'],
  ['GET', '/node/nobody/load', 'node:read'],
  ['GET', '/node/nobody/uptime', 'node:read'],
  ['GET', '/node/nobody/os', 'node:read'],
  ['PUT', '/node/nobody/hostname', 'node:write', { hostname: 'web-02' }],
  ['GET', '/node/nobody/network/dns/eth0', 'network:read'],
  ['PUT', '/node/nobody/network/dns', 'network:write', { interface_name: 'eth0', servers: ['1.1.1.1'] }],
  ['DELETE', '/node/nobody/network/dns', 'network:write', { interface_name: 'eth0' }],
  ['POST', '/node/nobody/network/ping', 'network:read', { address: '127.0.0.1' }],
  ['POST', '/node/nobody/command/exec', 'command:execute', { command: 'true' }],
  ['POST', '/node/nobody/command/shell', 'command:execute', { command: 'true' }],
]

describe('authorization', () => {
  let api: TestApi
  before(async () => {
    api = await startTestApi({
      settings: { 'controller.api.security.roles': { operator: { permissions: ['node:read'] } } },
    })
  })
  after(() => api.close())

  async function ask(
    [method, url, , body]: Route,
    headers: Record<string, string> = {},
  ): Promise<[number, string]> {
    const response = await api.app.inject({ method, url, headers, ...(body && { payload: body }) })
    const isJson = String(response.headers['content-type']).includes('json')
    return [response.statusCode, isJson ? (response.json<{ error?: string }>().error ?? '') : '']
  }

  it('covers every route there is', () => {
    const known = new Set(
      routes.map(([method, path]) => `${method} ${path.replace(id, ':id').replace('nobody', ':target')}`),
    )
    const printed = api.app.printRoutes({ commonPrefix: false, includeHooks: false })
    const count = (printed.match(/\((?:GET|PUT|POST|DELETE)[^)]*\)/gu) ?? []).length
    assert.ok(count >= known.size, printed)
  })

  for (const role of ['admin', 'write', 'read', 'operator']) {
    it(`gives role ${role} exactly its routes, with and without the prefix`, async () => {
      const headers = await api.as(role)
      const allowed = resolvePermissions({ roles: [role] }, { operator: ['node:read'] })
      for (const prefix of ['', '/api']) {
        for (const [method, path, permission, body] of routes) {
          if (permission === undefined) continue
          const [status, error] = await ask([method, prefix + path, permission, body], headers)
          if (allowed.includes(permission)) {
            assert.ok(status !== 401 && status !== 403, `${role}: ${method} ${path} ${status}`)
          } else {
            assert.equal(status, 403, `${role}: ${method} ${path}`)
            assert.equal(
              error,
              `Insufficient permissions. Required: [${permission}], resolved: [${allowed.join(', ')}]`,
            )
          }
        }
      }
    })
  }

  it('lets permissions of the token replace those of its role', async () => {
    const headers = await api.as('admin', ['job:read'])
    assert.equal((await ask(['GET', '/job/status', 'job:read'], headers))[0], 200)
    const [status, error] = await ask(['GET', '/agent', 'agent:read'], headers)
    assert.deepEqual(
      [status, error],
      [403, 'Insufficient permissions. Required: [agent:read], resolved: [job:read]'],
    )
  })

  it('needs a bearer token, except where nothing is to be protected', async () => {
    for (const route of routes) {
      const [status, error] = await ask(route)
      if (route[2] === undefined) assert.equal(status, 200, route[1])
      else assert.deepEqual([status, error], [401, 'Bearer token required'], route[1])
    }
    for (const authorization of ['', 'Bearer', 'Basic YTpi', 'token x']) {
      assert.deepEqual(await ask(['GET', '/agent', ''], { authorization }), [401, 'Bearer token required'])
    }
  })

  it('refuses a bad token and says why', async () => {
    const { signing_key: key } = api.config.controller.api.security
    const expected: [token: string, error: RegExp][] = [
      ['garbage', /^Invalid token: ./u],
      [await sign('other', 'osapi', 60), /^Invalid token: signature is invalid/u],
      [await sign(key, 'osapi', -60), /^Invalid token: token is expired/u],
      [await sign(key, 'someone', 60), /^Invalid token: .*iss/u],
    ]
    for (const [token, error] of expected) {
      const answer = await ask(['GET', '/agent', ''], { authorization: `Bearer ${token}` })
      assert.equal(answer[0], 401)
      assert.match(answer[1], error)
    }
  })

  it('knows every permission that a route asks for', () => {
    for (const [, path, permission] of routes) {
      if (permission !== undefined) assert.ok((permissions as readonly string[]).includes(permission), path)
    }
  })
})

function sign(key: string, issuer: string, expires: number): Promise<string> {
  return new SignJWT({ roles: ['admin'] })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setSubject('ada')
    .setIssuedAt()
    .setExpirationTime(Math.floor(Date.now() / 1000) + expires)
    .sign(new TextEncoder().encode(key))
}
