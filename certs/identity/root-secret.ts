import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Secret } from '../../api/resources.ts'
import { type KeyPair, SKEW_MS } from '../issue.ts'
import { fingerprintOf } from '../spiffe.ts'
import type { DomainRecord } from './domain.ts'
import { PHASES, type Phase, type RootRecord } from './roots.ts'

/** A root as the Secret portolan-ca keeps it. */
export interface StoredRoot extends RootRecord {
  /** PEM. */
  readonly cert: string
  /** PEM; absent when it is lost. */
  readonly key?: string
}

/** All that the Secret portolan-ca says. */
export interface RootState {
  readonly roots: readonly StoredRoot[]
  readonly domain?: DomainRecord
}

/** For people and tools: PEM of all roots. */
const BUNDLE = 'ca.crt'
/** How far each root has come, and the trust domain. */
const STATE = 'state.json'

interface StateFile {
  readonly roots?: Readonly<Record<string, { readonly phase?: string; readonly since?: string }>>
  readonly domain?: { readonly published?: unknown; readonly issued?: unknown; readonly since?: string }
}

const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8')
const encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64')

const parsed = (text: string | undefined): StateFile => {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** A root that has just been made, or found. @throws when `cert` is no certificate */
export const rootOf = ({ cert, key }: { readonly cert: string; readonly key?: string }, now: number): StoredRoot => {
  const certificate = new X509Certificate(cert)
  return {
    id: fingerprintOf(cert),
    bornAt: certificate.validFromDate.getTime() + SKEW_MS,
    notAfter: certificate.validToDate.getTime(),
    canSign: key !== undefined,
    phase: 'new',
    since: now,
    cert,
    ...(key === undefined ? {} : { key }),
  }
}

/** Whether a private key is a certificate's own; a damaged one is nobody's. */
export const belong = ({ cert, key }: KeyPair): boolean => {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    return false
  }
}

const byAge = (a: StoredRoot, b: StoredRoot): number => a.bornAt - b.bornAt || (a.id < b.id ? -1 : 1)

/** What can be read of the Secret, oldest root first; damaged parts are as good as missing. */
export const readRoots = (secret: Pick<Secret, 'data'> | undefined, now: number): RootState => {
  const data = secret?.data ?? {}
  const state = parsed(data[STATE] === undefined ? undefined : decode(data[STATE]))
  const roots = Object.entries(data).flatMap(([name, text]): readonly StoredRoot[] => {
    if (!name.endsWith('.crt') || name === BUNDLE) return []
    const cert = decode(text)
    const secretKey = data[`${name.slice(0, -'.crt'.length)}.key`]
    const key = secretKey === undefined ? undefined : decode(secretKey)
    try {
      const root = rootOf(key !== undefined && belong({ cert, key }) ? { cert, key } : { cert }, now)
      const told = state.roots?.[root.id]
      const since = Date.parse(told?.since ?? '')
      if (!PHASES.some((phase) => phase === told?.phase) || Number.isNaN(since)) return [root]
      return [{ ...root, phase: told?.phase as Phase, since }]
    } catch {
      return []
    }
  })
  const { published, issued, since } = state.domain ?? {}
  const at = Date.parse(since ?? '')
  return {
    roots: roots.toSorted(byAge),
    ...(typeof published === 'string' && typeof issued === 'string'
      ? { domain: { published, issued, ...(Number.isNaN(at) ? {} : { since: at }) } }
      : {}),
  }
}

const timeOf = (ms: number): string => new Date(ms).toISOString()

/** `data` of the Secret. */
export const writeRoots = ({ roots, domain }: RootState): Readonly<Record<string, string>> => ({
  [BUNDLE]: encode(roots.map(({ cert }) => `${cert.trim()}\n`).join('')),
  ...Object.fromEntries(
    roots
      .toSorted(byAge)
      .flatMap(({ id, cert, key }) => [
        [`${id}.crt`, encode(cert)],
        ...(key === undefined ? [] : [[`${id}.key`, encode(key)]]),
      ]),
  ),
  [STATE]: encode(
    JSON.stringify({
      roots: Object.fromEntries(
        roots.toSorted(byAge).map(({ id, phase, since }) => [id, { phase, since: timeOf(since) }]),
      ),
      ...(domain === undefined
        ? {}
        : { domain: { ...domain, ...(domain.since === undefined ? {} : { since: timeOf(domain.since) }) } }),
    }),
  ),
})
