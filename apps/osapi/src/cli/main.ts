import { CommanderError } from 'commander'
import { buildProgram } from './program.ts'
import { processStreams, type Streams } from './streams.ts'
import { UsageError } from './tree.ts'

/** Runs the command line and resolves with the exit code. Never rejects. */
export async function main(args: readonly string[], streams: Streams = processStreams()): Promise<number> {
  let exitCode = 0
  const program = buildProgram(streams, (code) => {
    exitCode = code
  })
  try {
    await program.command.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof UsageError) {
      streams.err(`Error: ${error.message}\n\n${error.usage}`)
      return 1
    }
    // Help was asked for and shown.
    if (error instanceof CommanderError) return error.exitCode
    streams.err(`Error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    return 1
  }
}
