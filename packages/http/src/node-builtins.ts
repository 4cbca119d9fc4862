// Not by `import`: the ES module of a builtin reads each of its exports, and node:http has some that load all of undici
// when they are read (Node 22 and later). That would double the start-up of a program that only answers requests.
import type * as Http from 'node:http'
import type * as Net from 'node:net'

export const http: typeof Http = process.getBuiltinModule('node:http')
export const net: typeof Net = process.getBuiltinModule('node:net')
