export {
  createIdentityClient,
  type IdentityClient,
  type IdentityClientOptions,
} from './identityclient/identity-client.ts'
export { IdentityError, type IdentityErrorCode } from './identityclient/identity-error.ts'
export type { Introspection } from './identityclient/introspection.ts'
export type { ServiceToken, ServiceTokenRequest } from './identityclient/service-tokens.ts'
