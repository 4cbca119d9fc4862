import { arch, hostname } from 'node:os'
import type { Attributes } from '@opentelemetry/api'
import { type Environment, readPairs, readText } from './environment.ts'
import { version } from './version.ts'

export interface ResourceOptions {
  readonly serviceName: string
  readonly serviceVersion?: string | undefined
  readonly attributes?: Attributes | undefined
}

/**
 * The resource of this process. Later lines win: SDK, process and host; serviceName; OTEL_RESOURCE_ATTRIBUTES;
 * OTEL_SERVICE_NAME (a deployment renames a service without a build); serviceVersion; the attributes given in code.
 * https://opentelemetry.io/docs/specs/semconv/resource/
 */
export function processResource(options: ResourceOptions, env: Environment): Attributes {
  const serviceName = readText(env, 'OTEL_SERVICE_NAME')
  return {
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.name': 'throughline',
    'telemetry.sdk.version': version,
    'host.name': hostname(),
    'host.arch': arch() === 'x64' ? 'amd64' : arch(),
    'process.pid': process.pid,
    'process.executable.path': process.execPath,
    'process.runtime.name': 'nodejs',
    'process.runtime.version': process.versions.node,
    'service.name': options.serviceName,
    ...readPairs(env, ['OTEL_RESOURCE_ATTRIBUTES']),
    ...(serviceName !== undefined && { 'service.name': serviceName }),
    ...(options.serviceVersion !== undefined && { 'service.version': options.serviceVersion }),
    ...options.attributes,
  }
}
