import type { Failure } from '../../kube/failure.ts'

/** Why a member is not managed, as far as its API server or the way to it is the reason. */
export type Trouble = 'Unreachable' | 'Unauthorized' | 'Forbidden' | 'TLSError' | 'NotInstalled'

/** OpenSSL's and node's names of what can be wrong with a certificate or a handshake. */
const TLS =
  /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED|EPROTO|CRL_|ERROR_IN_|OUT_OF_MEM$)/

/** What a failed request says of a member. Others than these are not about the member as a whole. */
export function troubleOf({ reason, cause }: Failure): Trouble | undefined {
  switch (reason) {
    case 'Unauthorized':
    case 'Forbidden':
      return reason
    // Only whole kinds and our own namespace are asked for by name: they are part of an installation.
    case 'NotFound':
      return 'NotInstalled'
    case 'Unreachable':
      return codesOf(cause).some((code) => TLS.test(code)) ? 'TLSError' : 'Unreachable'
    case 'Unavailable':
    case 'TooManyRequests':
    case 'Unknown':
      return 'Unreachable'
    default:
      return undefined
  }
}

/** Trying again in the same way cannot help. */
export const isDefinite = (trouble: Trouble): boolean => trouble !== 'Unreachable'

function codesOf(cause: unknown, depth = 0): readonly string[] {
  if (depth > 4 || typeof cause !== 'object' || cause === null) return []
  const { code, cause: inner, errors = [] } = cause as { code?: unknown; cause?: unknown; errors?: readonly unknown[] }
  return [
    ...(typeof code === 'string' ? [code] : []),
    ...[inner, ...errors].flatMap((each) => codesOf(each, depth + 1)),
  ]
}
