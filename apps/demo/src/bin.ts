#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { runDemo } from './demo.ts'

const usage = `Starts nats-server, the OSAPI API server, a worker and Lens, sends one command through them and shows its trace.

  npm start              stays up until Ctrl-C, so that you can look around in Lens
  npm start -- --once    the same, then stops everything; exit 0 only if the trace is whole
`

function readArguments(): { once: boolean; help: boolean } | { error: string } {
  try {
    const { values } = parseArgs({
      options: { once: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    })
    return { once: values.once ?? false, help: values.help ?? false }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

const options = readArguments()
if ('error' in options) {
  process.stderr.write(`${options.error}\n\n${usage}`)
  process.exitCode = 2
} else if (options.help) {
  process.stdout.write(usage)
} else {
  process.exitCode = await runDemo({ once: options.once })
}
