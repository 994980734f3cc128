import { createPrivateKey, X509Certificate } from 'node:crypto'
import { identityKeys, spiffeId } from '../../api/identity.ts'
import { MANAGED_BY } from '../../api/names.ts'
import type { Secret } from '../../api/resources.ts'
import { SKEW_MS } from '../issue.ts'

/** A certificate that lies in a Secret with the private key that belongs to it. */
export interface LeafFact {
  readonly certificate: X509Certificate
  /** The only URI in it. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly bornAt: number
  readonly notAfter: number
}

/** A namespace's Secret portolan-identity without its private keys. */
export interface IdentitySecret {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Secret['metadata']
  /** Whether it is one of ours; another's is left alone. */
  readonly ours: boolean
  /** Names of all keys in its data. */
  readonly keys: readonly string[]
  /** By the key of the certificate; damaged ones are left out. */
  readonly leaves: ReadonlyMap<string, LeafFact>
}

const decode = (text: string): string => Buffer.from(text, 'base64').toString('utf8')

const leafOf = (cert: string, key: string): LeafFact | undefined => {
  try {
    const certificate = new X509Certificate(decode(cert))
    const id = /^URI:(\S+)$/.exec(certificate.subjectAltName ?? '')?.[1]
    if (id === undefined || !certificate.checkPrivateKey(createPrivateKey(decode(key)))) return undefined
    return {
      certificate,
      id,
      bornAt: certificate.validFromDate.getTime() + SKEW_MS,
      notAfter: certificate.validToDate.getTime(),
    }
  } catch {
    return undefined
  }
}

/** What is to be known of a Secret. Private keys are looked at, not kept. */
export const observeIdentities = ({ apiVersion, kind, metadata, data = {} }: Secret): IdentitySecret => {
  const { name, namespace, uid, resourceVersion, labels } = metadata
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
    ours: Object.entries(MANAGED_BY).every(([label, value]) => labels?.[label] === value),
    keys: Object.keys(data).toSorted(),
    leaves: new Map(
      Object.entries(data).flatMap(([name, cert]) => {
        if (!name.endsWith('.crt')) return []
        const leaf = leafOf(cert, data[`${name.slice(0, -'.crt'.length)}.key`] ?? '')
        return leaf === undefined ? [] : [[name, leaf] as const]
      }),
    ),
  }
}

/** Whether a key of such a Secret is for a certificate or its private key. */
export const isIdentityKey = (key: string): boolean => /\.(crt|key)$/.test(key)

/** Who is to have an identity in a namespace, and whose is left to pods that run by it. */
export interface Demand {
  readonly namespace: string
  /** Names of service accounts. */
  readonly wanted: ReadonlySet<string>
  readonly kept: ReadonlySet<string>
}

/** Writes to one namespace's Secret. */
export interface LeafAction {
  readonly namespace: string
  readonly issue: readonly { readonly serviceAccount: string; readonly id: string; readonly why: Why }[]
  /** Keys of data to remove. */
  readonly remove: readonly string[]
  /** The Secret as a whole is to go. */
  readonly all: boolean
}

/** Why a leaf is made. */
export type Why = 'missing' | 'damaged' | 'expired' | 'otherId' | 'unknownRoot' | 'oldRoot' | 'due'

export interface LeafPlan {
  readonly actions: readonly LeafAction[]
  /** When the next leaf is due. */
  readonly until: number
}

export interface LeafWorld {
  readonly now: number
  readonly trustDomain: string
  readonly demands: readonly Demand[]
  /** By namespace. */
  readonly secrets: ReadonlyMap<string, IdentitySecret>
  readonly signer: { readonly id: string; readonly settled: boolean } | undefined
  /** Fingerprint of the root that has signed a leaf, when it is one that is trusted. */
  readonly rootOf: (leaf: LeafFact) => string | undefined
}

/** When this much of its life is left, a leaf is replaced by whatever root there is. */
const LAST = 1 / 12

const renewalAt = ({ bornAt, notAfter }: LeafFact): number => bornAt + ((notAfter - bornAt) * 2) / 3
const lastCallAt = ({ bornAt, notAfter }: LeafFact): number => notAfter - (notAfter - bornAt) * LAST

const whyAnew = (world: LeafWorld, leaf: LeafFact | undefined, there: boolean, id: string): Why | undefined => {
  const { now, signer, rootOf } = world
  if (leaf === undefined) return there ? 'damaged' : 'missing'
  if (leaf.id !== id) return 'otherId'
  if (lastCallAt(leaf) <= now || leaf.bornAt - SKEW_MS > now) return 'expired'
  const root = rootOf(leaf)
  if (root === undefined) return 'unknownRoot'
  if (!signer?.settled) return undefined
  if (root !== signer.id) return 'oldRoot'
  return renewalAt(leaf) <= now ? 'due' : undefined
}

/** What to write so that every service account in demand has a leaf that is valid, and nobody else has. */
export const planLeaves = (world: LeafWorld): LeafPlan => {
  const { now, trustDomain, demands, secrets, signer } = world
  const times: number[] = []
  const actions = demands.flatMap(({ namespace, wanted, kept }): readonly LeafAction[] => {
    const secret = secrets.get(namespace)
    if (secret !== undefined && !secret.ours) return []
    const issue = [...wanted].toSorted().flatMap((serviceAccount) => {
      const { cert } = identityKeys(serviceAccount)
      const id = spiffeId(trustDomain, namespace, serviceAccount)
      const leaf = secret?.leaves.get(cert)
      if (leaf !== undefined) times.push(renewalAt(leaf), lastCallAt(leaf))
      const why = whyAnew(world, leaf, secret?.keys.includes(cert) ?? false, id)
      return why === undefined || signer === undefined ? [] : [{ serviceAccount, id, why }]
    })
    const known = new Set([...wanted, ...kept].flatMap((name) => Object.values(identityKeys(name))))
    const remove = (secret?.keys ?? []).filter((key) => isIdentityKey(key) && !known.has(key))
    const all = secret !== undefined && known.size === 0
    return issue.length + remove.length === 0 && !all ? [] : [{ namespace, issue, remove, all }]
  })
  return { actions, until: Math.min(...times.filter((time) => time > now)) }
}
