import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type KeyPair, SKEW_MS } from './issue.ts'
import type { Leaf, Root } from './plan.ts'

/** A root with its key, as the Secret keeps it. */
export interface Authority extends Root {
  readonly pair: KeyPair
}

/** `data` of a Secret: base64. */
export type SecretData = Readonly<Record<string, string>>

/** The bundle of all roots, for people and tools; nothing of ours reads it. */
const BUNDLE_KEY = 'ca.crt'

const timesOf = (certificate: X509Certificate): { readonly bornAt: number; readonly notAfter: number } => ({
  bornAt: certificate.validFromDate.getTime() + SKEW_MS,
  notAfter: certificate.validToDate.getTime(),
})

const idOf = (certificate: X509Certificate): string => certificate.fingerprint256.replaceAll(':', '').toLowerCase()

export const authorityOf = (pair: KeyPair): Authority => {
  const certificate = new X509Certificate(pair.cert)
  return { id: idOf(certificate), ...timesOf(certificate), pair }
}

export const leafOf = (pair: KeyPair, rootId: string): Leaf => ({ rootId, ...timesOf(new X509Certificate(pair.cert)) })

/** A pair that cannot be read, or whose key is another's, is worth as much as none. */
const readPair = (pair: KeyPair): Authority | undefined => {
  try {
    const matches = new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key))
    return matches ? authorityOf(pair) : undefined
  } catch {
    return undefined
  }
}

const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8')
const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64')

const byAge = (a: Root, b: Root): number => a.bornAt - b.bornAt || (a.id < b.id ? -1 : 1)

/** The roots in a Secret, oldest first. Whatever else stands in it is ignored. */
export const readAuthorities = (data: SecretData | undefined): readonly Authority[] =>
  Object.entries(data ?? {})
    .flatMap(([name, cert]) => {
      const id = name.endsWith('.crt') && name !== BUNDLE_KEY ? name.slice(0, -'.crt'.length) : undefined
      const key = id === undefined ? undefined : data?.[`${id}.key`]
      const found = key === undefined ? undefined : readPair({ cert: decode(cert), key: decode(key) })
      return found === undefined ? [] : [found]
    })
    .sort(byAge)

/** PEM of every root, oldest first: what clients of ours must trust. */
export const bundleOf = (authorities: readonly Authority[]): string =>
  authorities.map(({ pair }) => `${pair.cert.trim()}\n`).join('')

export const writeAuthorities = (authorities: readonly Authority[]): SecretData =>
  Object.fromEntries([
    [BUNDLE_KEY, encode(bundleOf(authorities))],
    ...authorities.flatMap(({ id, pair }) => [
      [`${id}.crt`, encode(pair.cert)],
      [`${id}.key`, encode(pair.key)],
    ]),
  ])
