import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type RoleTable, resolvePermissions } from '../auth/permissions.ts'
import { type Claims, verifyToken } from '../auth/token.ts'
import { HttpError } from './errors.ts'

export interface AuthOptions {
  readonly signingKey: string
  readonly customRoles: RoleTable
}

/** Checks the token of each route that asks for a permission, before its body is read. */
export function requirePermissions(app: FastifyInstance, options: AuthOptions): void {
  app.decorateRequest('claims', undefined)
  app.addHook('onRequest', async (request) => {
    const { permission } = request.routeOptions.config
    if (permission === undefined) return
    const claims = await claimsOf(request, options)
    request.claims = claims
    const resolved = resolvePermissions(claims, options.customRoles)
    if (resolved.includes(permission)) return
    throw new HttpError(
      403,
      `Insufficient permissions. Required: [${permission}], resolved: [${resolved.join(', ')}]`,
    )
  })
}

async function claimsOf(request: FastifyRequest, options: AuthOptions): Promise<Claims> {
  const [, token] = /^Bearer +(\S+)$/iu.exec(request.headers.authorization ?? '') ?? []
  if (token === undefined) throw new HttpError(401, 'Bearer token required')
  try {
    return await verifyToken(token, options)
  } catch (error) {
    throw new HttpError(401, `Invalid token: ${error instanceof Error ? error.message : String(error)}`)
  }
}
