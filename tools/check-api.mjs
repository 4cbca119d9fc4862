// Holds the public API of every published package against etc/<package>.api.md, so that its growth is seen in review.
// Usage, after a build: node tools/check-api.mjs [--update]
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'
import { publishedPackages, root } from './published-packages.mjs'

const update = process.argv.includes('--update')
mkdirSync(join(root, 'etc'), { recursive: true })
let failed = false

for (const { name, dir, shortName } of publishedPackages()) {
  const entry = join(dir, 'dist/index.d.ts')
  if (!existsSync(entry)) {
    console.error(`${name}: ${entry} is missing; run npm run build first`)
    failed = true
    continue
  }
  const config = ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(dir, 'package.json'),
    configObject: {
      projectFolder: dir,
      mainEntryPointFilePath: entry,
      compiler: { tsconfigFilePath: join(dir, 'tsconfig.json'), skipLibCheck: true },
      apiReport: {
        enabled: true,
        reportFileName: `${shortName}.api.md`,
        reportFolder: join(root, 'etc'),
        reportTempFolder: join(root, '.cache/api'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        extractorMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
        tsdocMessageReporting: { default: { logLevel: ExtractorLogLevel.None } },
      },
    },
  })
  const result = Extractor.invoke(config, {
    localBuild: update,
    messageCallback: (message) => {
      message.handled = true
    },
  })
  if (result.apiReportChanged && !update) {
    console.error(
      `${name}: the public API differs from etc/${shortName}.api.md; look at it, then node tools/check-api.mjs --update`,
    )
    failed = true
  } else if (result.apiReportChanged) console.log(`etc/${shortName}.api.md updated`)
}
if (!failed) console.log('public APIs are as etc/ says')
process.exit(failed ? 1 : 0)
