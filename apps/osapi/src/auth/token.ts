import { errors, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { isPermission, type RoleTable, roleNames } from './permissions.ts'

const issuer = 'osapi'
const audience = ['https://localhost', 'http://localhost']
const lifetimeSeconds = 90 * 24 * 3600

export interface Claims {
  readonly subject: string
  readonly roles: readonly string[]
  readonly permissions?: readonly string[]
  readonly audience: readonly string[]
  readonly issuedAt: Date
  readonly expiresAt: Date
}

export type TokenErrorCode = 'invalid-roles' | 'invalid-permissions' | 'invalid-subject' | 'invalid-token'

export class TokenError extends Error {
  override readonly name = 'TokenError'
  readonly code: TokenErrorCode
  constructor(code: TokenErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface TokenOptions {
  readonly signingKey: string
  /** Roles of the configuration (`controller.api.security.roles`), valid in tokens beside the built-in ones. */
  readonly customRoles?: RoleTable
  readonly now?: () => Date
}

export interface TokenRequest {
  readonly subject: string
  readonly roles: readonly string[]
  readonly permissions?: readonly string[]
}

/** A signed HS256 JWT, valid for 90 days. Throws TokenError for an empty subject, an unknown role or permission. */
export async function generateToken(request: TokenRequest, options: TokenOptions): Promise<string> {
  const problem = findProblem(request, options.customRoles)
  if (problem) throw problem
  const issuedAt = Math.floor((options.now?.() ?? new Date()).getTime() / 1000)
  const claims: Record<string, unknown> = { roles: request.roles }
  if (request.permissions && request.permissions.length > 0) claims['permissions'] = request.permissions
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer(issuer)
    .setSubject(request.subject)
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + lifetimeSeconds)
    .sign(keyOf(options.signingKey))
}

/**
 * The claims of a token whose algorithm (HS256 only), signature, issuer, expiry and shape are right; else throws
 * TokenError `invalid-token`. The audience is not checked: tokens are made for one installation, whatever its address.
 */
export async function verifyToken(token: string, options: TokenOptions): Promise<Claims> {
  const payload = await verifiedPayload(token, options)
  const { sub = '', iat = 0, exp = 0, aud = [] } = payload
  const roles = stringList(payload['roles'])
  if (!roles) throw invalidToken('claim "roles" must be a list of names')
  const granted = payload['permissions'] === undefined ? [] : stringList(payload['permissions'])
  if (!granted) throw invalidToken('claim "permissions" must be a list of names')
  const problem = findProblem({ subject: sub, roles, permissions: granted }, options.customRoles)
  if (problem) throw invalidToken(problem.message)
  return {
    subject: sub,
    roles,
    ...(granted.length > 0 && { permissions: granted }),
    audience: typeof aud === 'string' ? [aud] : aud,
    issuedAt: new Date(iat * 1000),
    expiresAt: new Date(exp * 1000),
  }
}

async function verifiedPayload(token: string, options: TokenOptions): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keyOf(options.signingKey), {
      algorithms: ['HS256'],
      issuer,
      requiredClaims: ['sub', 'iat', 'exp', 'roles'],
      currentDate: options.now?.() ?? new Date(),
    })
    return payload
  } catch (error) {
    throw invalidToken(reasonOf(error), error)
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'token is expired'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature is invalid'
  return error instanceof Error ? error.message : String(error)
}

function findProblem(request: TokenRequest, customRoles: RoleTable | undefined): TokenError | undefined {
  if (request.subject === '') return new TokenError('invalid-subject', 'subject must not be empty')
  if (request.roles.length === 0)
    return new TokenError('invalid-roles', 'invalid roles: at least one role is needed')
  const allowed = roleNames(customRoles)
  const unknownRole = request.roles.find((role) => !allowed.includes(role))
  if (unknownRole !== undefined) {
    const text = `invalid roles [${request.roles.join(', ')}]: unsupported role: ${unknownRole} (allowed: ${allowed.join(', ')})`
    return new TokenError('invalid-roles', text)
  }
  const unknown = request.permissions?.find((permission) => !isPermission(permission))
  if (unknown === undefined) return undefined
  return new TokenError('invalid-permissions', `invalid permissions: unsupported permission: ${unknown}`)
}

function stringList(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((item) => typeof item === 'string') ? value : undefined
}

function invalidToken(reason: string, cause?: unknown): TokenError {
  return new TokenError('invalid-token', reason, cause === undefined ? undefined : { cause })
}

function keyOf(signingKey: string): Uint8Array {
  return new TextEncoder().encode(signingKey)
}
