#!/usr/bin/env node
import { createProgram } from './program.ts'

// A reader that has seen enough (`throughline traces | head`) closes the pipe; that is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
await createProgram().parseAsync()
