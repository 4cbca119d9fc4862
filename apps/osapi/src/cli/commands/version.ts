import { versionOf } from '../../api/version-info.ts'
import { version } from '../../version.ts'
import type { Streams } from '../streams.ts'

export function showVersion(streams: Streams): number {
  streams.out(`${JSON.stringify(versionOf(version))}\n`)
  return 0
}
