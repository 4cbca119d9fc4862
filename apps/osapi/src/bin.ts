#!/usr/bin/env node
import * as module from 'node:module'

// Node 22 and later keep compiled code on disk: a command starts without compiling its modules anew.
;(module as { enableCompileCache?: () => void }).enableCompileCache?.()

// `osapi client … | head`: whoever reads has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const { main } = await import('./cli/main.ts')
process.exitCode = await main(process.argv.slice(2))

// Everything is stopped and flushed by now. A command that a worker left running, or a request whose client has gone,
// must not hold the process.
const lingerMs = 100
setTimeout(() => process.exit(), lingerMs).unref()
