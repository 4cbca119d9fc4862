// Completes package-lock.json with the optional platform packages that npm left out because the registry at hand did not
// offer them: without them `npm ci` refuses the lock, and other platforms would get no binary.
// Platform, processor and C library are read from the package's name (napi style: name-linux-x64-musl, darwin-arm64, ...).
// Usage, after `npm install` changed dependencies: node tools/complete-lock.mjs
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const path = fileURLToPath(new URL('../package-lock.json', import.meta.url))
const lock = JSON.parse(readFileSync(path, 'utf8'))
const platforms = [
  'darwin',
  'linux',
  'win32',
  'freebsd',
  'android',
  'openharmony',
  'sunos',
  'openbsd',
  'netbsd',
  'aix',
]
const processors = ['arm64', 'x64', 'ia32', 'arm', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el']

function platformOf(name) {
  const words = name.split('/').pop().split(/[-.]/)
  const os = words.find((word) => platforms.includes(word))
  const cpu = words
    .map((word) => (word.startsWith('armv') ? 'arm' : word))
    .find((word) => processors.includes(word))
  if (os === undefined || cpu === undefined) return undefined
  const musl = words.includes('musl') || words.includes('musleabihf')
  const libc = os !== 'linux' ? undefined : musl ? ['musl'] : words.includes('gnu') ? ['glibc'] : undefined
  return { cpu: [cpu], ...(libc && { libc }), os: [os] }
}

let added = 0
for (const [where, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${where}/node_modules/${name}`
    const hoisted = `node_modules/${name}`
    if (lock.packages[nested] || lock.packages[hoisted]) continue
    const platform = platformOf(name)
    if (platform === undefined || !/^\d+\.\d+\.\d+[-.\w]*$/.test(version)) {
      console.error(
        `left out: ${name}@${version} (of ${where}): no platform in its name, or no exact version`,
      )
      continue
    }
    lock.packages[hoisted] = {
      version,
      ...(platform.cpu && { cpu: platform.cpu }),
      ...(entry.dev && { dev: true }),
      ...(platform.libc && { libc: platform.libc }),
      optional: true,
      os: platform.os,
    }
    added++
  }
}
lock.packages = Object.fromEntries(
  Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
)
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`added ${added} platform packages to package-lock.json`)
