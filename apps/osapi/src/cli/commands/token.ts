import type { RoleTable } from '../../auth/permissions.ts'
import { generateToken, TokenError, verifyToken } from '../../auth/token.ts'
import type { Config } from '../../config/index.ts'
import { generatedTokenLines, validatedTokenJson, validatedTokenLines } from '../output/token-views.ts'
import { CommandError, type TracedRun } from '../traced-run.ts'

export const tokenNeeds: readonly string[] = ['controller.api.security.signing_key']

export async function generate({ config, invocation, streams, isJson }: TracedRun): Promise<number> {
  const { flags } = invocation
  const permissions = flags.list('permissions') ?? []
  const request = { subject: flags.required('subject'), roles: flags.list('roles') ?? [], permissions }
  const token = await explained('', generateToken(request, tokenOptions(config)))
  const { subject, roles } = request
  const generated = { token, subject, roles, ...(permissions.length > 0 && { permissions }) }
  streams.out(isJson ? `${JSON.stringify(generated)}\n` : `${generatedTokenLines(generated).join('\n')}\n`)
  return 0
}

export async function validate({ config, invocation, streams, isJson }: TracedRun): Promise<number> {
  const options = tokenOptions(config)
  const claims = await explained('invalid token: ', verifyToken(invocation.flags.required('token'), options))
  const text = isJson
    ? JSON.stringify(validatedTokenJson(claims, options.customRoles))
    : validatedTokenLines(claims, options.customRoles).join('\n')
  streams.out(`${text}\n`)
  return 0
}

async function explained<T>(prefix: string, making: Promise<T>): Promise<T> {
  try {
    return await making
  } catch (error) {
    throw error instanceof TokenError ? new CommandError(prefix + error.message, { cause: error }) : error
  }
}

function tokenOptions(config: Config): { signingKey: string; customRoles: RoleTable } {
  const { signing_key: signingKey, roles } = config.controller.api.security
  const customRoles = Object.fromEntries(
    Object.entries(roles).map(([name, role]) => [name, role.permissions]),
  )
  return { signingKey, customRoles }
}
