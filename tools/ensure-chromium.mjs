// The browser tests drive a real Chromium: the one that CHROMIUM_PATH names, else Debian's, else one on PATH, else
// Debian's package is installed (as root, or by sudo without a password). Prints its path; exit 1 with what to do.
import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function findChromium() {
  const named = process.env.CHROMIUM_PATH
  if (named !== undefined && named !== '') return isExecutable(named) ? named : undefined
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)]
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable)
}

function installChromium() {
  const prefix = process.getuid?.() === 0 ? [] : ['sudo', '-n']
  for (const args of [
    ['apt-get', 'update'],
    ['apt-get', 'install', '-y', '--no-install-recommends', 'chromium'],
  ]) {
    const [command, ...rest] = [...prefix, ...args]
    console.error(`chromium is missing: ${[command, ...rest].join(' ')}`)
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    if (spawnSync(command, rest, { stdio: ['ignore', 2, 2], env }).status !== 0) return false
  }
  return true
}

/** The path of a Chromium, installed if need be; undefined when there is none to be had. */
export function ensureChromium() {
  return findChromium() ?? (installChromium() ? findChromium() : undefined)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const path = ensureChromium()
  if (path === undefined) {
    console.error(
      'The browser tests need Chromium: apt-get install chromium, or set CHROMIUM_PATH to an executable.',
    )
    process.exit(1)
  }
  console.log(path)
}
