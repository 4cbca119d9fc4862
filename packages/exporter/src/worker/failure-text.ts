import { describeError } from './answer.ts'

export interface FailedAttempt {
  readonly error: unknown
  readonly speaks: 'gRPC' | 'OTLP/HTTP'
  readonly isTls: boolean
  /** The connection was made for this attempt and never answered anything. */
  readonly isFirstOnConnection: boolean
}

/** An attempt without an answer in one line: the error's own text, and what to look at where that is known. */
export function failureText(attempt: FailedAttempt): string {
  const text = opensslReason(attempt.error) ?? describeError(attempt.error)
  const advice = adviceFor(attempt, text)
  return advice === undefined ? text : `${text} (${advice})`
}

const untrusted =
  'the collector shows a certificate that no authority we trust has signed: is the CA the right one?'
const noClientCertificate = 'the collector asks for a client certificate: is ours given, and the right one?'
const wantsTls = 'does this port want TLS? Then the endpoint begins with https://'

/** A server that checks the client's certificate after its own last message can only hang up. */
const brokeAfterHandshake = 'does the collector ask for a client certificate, and accept ours?'

/** By the codes and texts of Node.js and OpenSSL. */
const tlsAdvice: readonly (readonly [RegExp, string])[] = [
  [/SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY)|SIGNATURE_FAILURE|CERT_UNTRUSTED/, untrusted],
  [/CERT_HAS_EXPIRED/, 'the certificate that the collector shows'],
  [/ALTNAME_INVALID/, 'the collector shows the certificate of another host'],
  [/alert (?:certificate|bad certificate|handshake|unknown ca|access denied)/, noClientCertificate],
  [
    /wrong version number|packet length too long|unknown protocol/,
    'this port speaks no TLS: the endpoint begins with http://',
  ],
]

function adviceFor(attempt: FailedAttempt, text: string): string | undefined {
  const { error, speaks, isTls, isFirstOnConnection } = attempt
  const code = codeOf(error)
  if (/no application protocol/.test(text)) return `does this port speak ${speaks}?`
  for (const [pattern, advice] of isTls ? tlsAdvice : [])
    if (pattern.test(code) || pattern.test(text)) return advice
  const isEnd = code === 'ECONNRESET' || code === 'EPIPE' || code === noStatusCode
  if (isEnd && isFirstOnConnection) return isTls ? brokeAfterHandshake : wantsTls
  if (!isTls && isTlsAlert(error)) return wantsTls
  return code.startsWith('HPE_') || code === 'ERR_HTTP2_ERROR' ? `does this port speak ${speaks}?` : undefined
}

/** The code of the error for a stream that ended without an answer. */
export const noStatusCode = 'NO_STATUS'

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Of `80CC…:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:../deps/…:350:` what says something. */
function opensslReason(error: unknown): string | undefined {
  const [, reason] = /:SSL routines:[^:]*:([^:]+):/.exec(error instanceof Error ? error.message : '') ?? []
  return reason === undefined ? undefined : `TLS: ${reason}`
}

/** What a TLS server answers to plain text: https://www.rfc-editor.org/rfc/rfc8446#section-5.1, content type 21. */
function isTlsAlert(error: unknown): boolean {
  const packet = error instanceof Error && 'rawPacket' in error ? error.rawPacket : undefined
  return packet instanceof Uint8Array && packet[0] === 21 && packet[1] === 3
}
