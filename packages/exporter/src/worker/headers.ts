import { invalidOption } from './exporter-error.ts'

// Content and framing are the exporter's; a header of the user that contradicts them would make requests unreadable.
const reservedHeader =
  /^(?:content-(?:type|length|encoding)|transfer-encoding|connection|te|host|grpc-(?!.*-bin$).*)$/

/** Names in lower case. Throws an ExporterError that shows a name, never a value: it may be a secret. */
export function checkedHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const checked: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    const key = name.toLowerCase()
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(key)) throw invalidOption(`headers: "${name}" is no header name`)
    if (reservedHeader.test(key)) throw invalidOption(`headers: "${name}" is set by the exporter itself`)
    if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      throw invalidOption(`headers: the value of "${name}" has characters that no header may have`)
    checked[key] = value
  }
  return checked
}

/**
 * A headers file: one `name: value` a line; empty lines and lines that begin with `#` count for nothing. Throws an
 * ExporterError that shows the number of a wrong line and nothing of what stands in it.
 */
export function headersFromText(text: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.trim()
    if (content === '' || content.startsWith('#')) continue
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:(.*)$/.exec(content) ?? []
    if (name === undefined || value === undefined)
      throw invalidOption(`line ${index + 1} is no "name: value"`)
    headers[name] = value.trim()
  }
  // A file that was opened for writing is empty at first: to send without the key would lose what is sent.
  if (Object.keys(headers).length === 0) throw invalidOption('it holds no header')
  return checkedHeaders(headers)
}
