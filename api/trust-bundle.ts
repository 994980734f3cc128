import { createHash, createPublicKey, X509Certificate } from 'node:crypto'

/** A certificate that vouches for the identities of one trust domain. It never comes with its key. */
export interface Root {
  /** DER in base64. */
  readonly der: string
  /** SHA-256 of the DER, in hex. */
  readonly fingerprint: string
  /** RFC 3339. */
  readonly expires: string
}

/** The roots of one trust domain, by fingerprint. */
export interface Bundle {
  /** Grows whenever the roots change. */
  readonly sequence: number
  readonly roots: readonly Root[]
}

export type BundleRead =
  | { readonly ok: true; readonly bundle: Bundle }
  /** Without any of the text. */
  | { readonly ok: false; readonly problem: string }

/** More than any rotation needs; each of them is in the tables of every proxy of every member. */
const MOST_ROOTS = 8

/** Reads the bundle of one trust domain, as SPIFFE writes it. Takes certificates alone from it, whatever else is there. */
export function readBundle(text: string): BundleRead {
  const parsed = parse(text)
  if (!isFields(parsed)) return refused('it is not a JSON object')
  const { keys, sequence_number: sequence = 1 } = parsed
  if (!Number.isSafeInteger(sequence) || (sequence as number) < 0) return refused('sequence_number is no whole number')
  if (!Array.isArray(keys) || keys.length === 0) return refused('it lists no keys')
  if (keys.length > MOST_ROOTS) return refused(`it lists ${keys.length} keys; at most ${MOST_ROOTS} are taken`)
  const read = keys.map((key, index) => rootOf(key, `keys[${index}]`))
  const problems = read.filter((each) => typeof each === 'string')
  if (problems.length > 0) return refused(problems.join('; '))
  const roots = new Map((read as readonly Root[]).map((root) => [root.fingerprint, root]))
  return {
    ok: true,
    bundle: {
      sequence: sequence as number,
      roots: [...roots.keys()].toSorted().flatMap((key) => roots.get(key) ?? []),
    },
  }
}

/** As SPIFFE writes it: a JWK for each root. */
export interface BundleDocument {
  readonly sequence_number: number
  readonly keys: readonly { readonly use: 'x509-svid'; readonly x5c: readonly [string] }[]
}

/** The same as SPIFFE writes it, made of the certificates alone: the same roots make the same bytes. */
export function bundleDocument({ sequence, roots }: Bundle): BundleDocument {
  return { sequence_number: sequence, keys: roots.map(jwkOf) }
}

function jwkOf({ der }: Root): BundleDocument['keys'][number] {
  const { publicKey } = new X509Certificate(Buffer.from(der, 'base64'))
  const jwk = Object.entries(publicKey.export({ format: 'jwk' })).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return { ...Object.fromEntries(jwk), use: 'x509-svid', x5c: [der] }
}

function rootOf(key: unknown, at: string): Root | string {
  if (!isFields(key)) return `${at} is not an object`
  const { use, x5c } = key
  if (use !== 'x509-svid') return `${at}.use is not x509-svid`
  const [encoded, ...others] = Array.isArray(x5c) ? (x5c as readonly unknown[]) : []
  if (typeof encoded !== 'string' || others.length > 0) return `${at}.x5c is not one certificate`
  const certificate = certificateOf(encoded)
  if (certificate === undefined) return `${at}.x5c holds no certificate`
  if (!certificate.ca) return `${at}.x5c holds a certificate that may not sign others`
  if (!isOrdinary(certificate)) return `${at}.x5c holds a certificate of a kind that not every proxy reads`
  return rootOfCertificate(certificate)
}

export function rootOfCertificate({ raw, validTo }: X509Certificate): Root {
  return {
    der: raw.toString('base64'),
    fingerprint: createHash('sha256').update(raw).digest('hex'),
    expires: new Date(validTo).toISOString().replace(/\.\d+/, ''),
  }
}

function certificateOf(encoded: string): X509Certificate | undefined {
  const der = Buffer.from(encoded, 'base64')
  try {
    const certificate = new X509Certificate(der)
    // Else PEM, or something after the certificate.
    return certificate.raw.equals(der) ? certificate : undefined
  } catch {
    return undefined
  }
}

/** Of a chain that somebody signs by hand, with room to spare: all roots of all members are in one ConfigMap. */
const LARGEST_ROOT = 8_192
const CURVES: readonly unknown[] = ['P-256', 'P-384', 'P-521']

/**
 * Whether every proxy reads it. One root that a proxy does not would cost it all the others of that file, those of other
 * members, too. RSA of 2048 to 4096 bits, or a curve of NIST's by its name, with a date that JavaScript has as well.
 */
function isOrdinary({ raw, publicKey, validTo }: X509Certificate): boolean {
  if (raw.length > LARGEST_ROOT || Number.isNaN(Date.parse(validTo))) return false
  try {
    const jwk = publicKey.export({ format: 'jwk' })
    const spki = { type: 'spki', format: 'der' } as const
    // Written anew it is the same, unless something is written in an unusual way.
    if (!createPublicKey({ key: jwk, format: 'jwk' }).export(spki).equals(publicKey.export(spki))) return false
    const bits = Buffer.from(jwk.n ?? '', 'base64url').length * 8
    return jwk.kty === 'RSA' ? bits >= 2_048 && bits <= 4_096 : CURVES.includes(jwk.crv)
  } catch {
    return false
  }
}

const refused = (problem: string): BundleRead => ({ ok: false, problem })

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
