import { spawn } from 'node:child_process'

const moduleUrl = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)

export interface ProgramEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramOptions {
  /** Options of the exporter; undefined: a program without one, where `endSpans` does nothing. */
  readonly exporter?: object | undefined
  readonly nodeArgs?: readonly string[]
  /** Sent when the program prints `ready`. */
  readonly signal?: NodeJS.Signals
}

/** Runs a program that has `exporter` and `endSpans(count)` until it ends. */
export function runProgram(
  program: string,
  { exporter, nodeArgs = [], signal }: ProgramOptions,
): Promise<ProgramEnd> {
  const setUp = `
    import { createOtlpExporter } from ${moduleUrl('../index.js')}
    import { testSpan } from ${moduleUrl('./span.js')}
    const exporter = createOtlpExporter({
      protocol: 'http/protobuf', resource: {}, clock: { originUnixNano: 0n }, ...${JSON.stringify(exporter)},
    })
    let spanIndex = 0
    const endSpans = (count) => { for (let index = 0; index < count; index++) exporter.onEnd(testSpan(spanIndex++)) }`
  const source = `${exporter === undefined ? 'const endSpans = () => {}' : setUp}\n${program}`
  const child = spawn(process.execPath, [...nodeArgs, '--input-type=module', '-e', source], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
    if (signal !== undefined && text.includes('ready')) child.kill(signal)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return new Promise((resolve) => {
    child.on('close', (code, killedBy) => resolve({ code, signal: killedBy, stdout, stderr }))
  })
}
