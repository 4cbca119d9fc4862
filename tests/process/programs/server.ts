// An HTTP server whose way to take signals is named by an argument. GET / answers at once; GET /held is answered when the server
// is told to end, or never.
// Arguments: the URL of a set-up module, or "none"; address; port; the signal; how it is handled; spans to end at the start.
import { createServer, type ServerResponse } from 'node:http'
import { onExit } from 'signal-exit'
import { setUpFrom } from './set-up.ts'
import { endSpans } from './spans.ts'

const [, , setUp = 'none', host = '', portText = '', signalText = '', handling = '', countText = '0'] =
  process.argv
const signal = signalText as NodeJS.Signals // The test names one.
const count = Number(countText)

const held: ServerResponse[] = []
const server = createServer((request, response) => {
  response.setHeader('connection', 'close')
  if (request.url === '/held') {
    held.push(response)
    console.log('holds')
  } else {
    response.end('hello')
  }
})

function closeGracefully(done: () => void): void {
  console.log('closes')
  for (const response of held) response.end('late')
  server.close(() => {
    endSpans(count, 'closing')
    console.log('closed')
    done()
  })
}

function neverCalled(): void {
  console.log('never printed')
}

const handlings: Readonly<Record<string, () => unknown>> = {
  bare: () => {},
  'close and end': () => process.on(signal, () => closeGracefully(() => {})),
  'close and exit': () => process.on(signal, () => closeGracefully(() => process.exit(0))),
  'exit at once': () => process.on(signal, () => process.exit(17)),
  ignore: () => process.on(signal, () => console.log('ignores it')),
  once: () => process.once(signal, () => console.log('ignores it')),
  throw: () =>
    process.on(signal, () => {
      throw new Error('thrown by the handler')
    }),
  'raise again': () =>
    process.once(signal, () => {
      console.log('cleans up')
      process.kill(process.pid, signal)
    }),
  'signal-exit': () => onExit((code, name) => console.log(`signal-exit: ${code} ${name}`)),
  'taken off again': () => {
    process.on(signal, neverCalled)
    process.off(signal, neverCalled)
  },
}

const isBefore = process.env['PROOF_HANDLER'] === 'before'
if (isBefore) handlings[handling]?.()
await setUpFrom(setUp)
if (!isBefore) handlings[handling]?.()
endSpans(count, 'work')
server.listen(Number(portText), host, () => console.log('listens'))
