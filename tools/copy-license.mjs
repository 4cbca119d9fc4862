// Run by npm as `prepack` in a package's folder: npm packs only what lies there, and the license lies in the root.
import { copyFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

copyFileSync(fileURLToPath(new URL('../LICENSE', import.meta.url)), 'LICENSE')
