import type { Version } from './types.ts'

/** What `osapi version` and `GET /version` tell. Commit and date are set by whoever builds an image. */
export function versionOf(
  version: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Version {
  return {
    version,
    commit: env['OSAPI_BUILD_COMMIT'] ?? 'unknown',
    date: env['OSAPI_BUILD_DATE'] ?? 'unknown',
    node: process.version,
    platform: `${process.platform}/${process.arch}`,
  }
}
