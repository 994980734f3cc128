/** Who may call an export: from patterns of names to expressions that SPIFFE ids are held against. */
import type { ServiceExport } from '../api/service-export.ts'
import { nearest } from './nearest.ts'
import { by } from './order.ts'
import { quoted } from './regex.ts'
import type { Client } from './tables.ts'

/** As an export has it. */
export type AllowedClients = NonNullable<ServiceExport['spec']['allowedClients']>

/** By clusterKey: which trust domain the ids of a cluster's pods are of. */
export type TrustDomains = Readonly<Record<string, { readonly trustDomain: string }>>

/** Characters of names. No two parts of an id can be taken for one, nor two ids. */
const ANY_NAMESPACE = '[-a-z0-9]'
const ANY_ACCOUNT = '[-a-z0-9.]'
const ANY_TRUST_DOMAIN = '[-a-z0-9._]+'
const ANY_OF_KEY = '[^/]'

/** @param any what one character that `*` stands for is of */
const expressionOf = (pattern: string, any: string): string =>
  pattern === '*' ? `${any}+` : pattern.split('*').map(quoted).join(`${any}*`)

const oneOf = (patterns: readonly string[] | undefined, any: string): string =>
  patterns === undefined
    ? `${any}+`
    : [...new Set(patterns)]
        .sort()
        .map((each) => expressionOf(each, any))
        .join('|')

const nameOf = (clusterKey: string): string => clusterKey.slice(clusterKey.lastIndexOf('/') + 1)

/** Whether a pattern means a cluster: a pattern without slash its bare name, with slashes its whole key. */
const meansCluster = (pattern: string, clusterKey: string): boolean => {
  const name = pattern.includes('/') ? clusterKey : nameOf(clusterKey)
  return new RegExp(`^${expressionOf(pattern, ANY_OF_KEY)}$`).test(name)
}

/** What stands for any cluster need not be spelled out. */
export const EVERY_CLUSTER: ReadonlySet<string> = new Set(['*', '*/*/*/*'])

const trustDomainsOf = (patterns: readonly string[] | undefined, known: TrustDomains): string => {
  if (patterns === undefined || patterns.some((pattern) => EVERY_CLUSTER.has(pattern))) return ANY_TRUST_DOMAIN
  const meant = Object.entries(known).filter(([key]) => patterns.some((pattern) => meansCluster(pattern, key)))
  return [...new Set(meant.map(([, { trustDomain }]) => trustDomain))].sort().map(quoted).join('|')
}

export interface UnknownCluster {
  readonly entry: number
  readonly index: number
  readonly pattern: string
  /** What to do about it besides waiting, to be put behind that. */
  readonly hint: string
}

/** Patterns that mean none of the clusters, by their places in the list. */
export const unknownClusters = (allowed: AllowedClients, keys: readonly string[]): readonly UnknownCluster[] =>
  allowed.flatMap(({ clusters = [] }, entry) =>
    clusters.flatMap((pattern, index) => {
      if (EVERY_CLUSTER.has(pattern) || keys.some((key) => meansCluster(pattern, key))) return []
      const meant = nearest(pattern, pattern.includes('/') ? keys : keys.map(nameOf))
      return [{ entry, index, pattern, hint: meant === undefined ? '' : `, or write ${meant}` }]
    }),
  )

/** In the order of a table, each once. */
export const sortedClients = (clients: readonly Client[]): readonly Client[] => {
  const key = ({ trustDomain, namespace, serviceAccount }: Client) => `${trustDomain} ${namespace} ${serviceAccount}`
  return [...new Map(clients.map((client) => [key(client), client])).values()].sort(by(key))
}

/**
 * Who may call, of those who have an identity. An entry that names nothing, or no cluster that has an identity,
 * lets nobody in; so does an empty list.
 * @returns undefined for a list that is absent: everybody may
 */
export const clientsOf = (allowed: AllowedClients | undefined, known: TrustDomains): readonly Client[] | undefined =>
  allowed &&
  sortedClients(
    allowed.flatMap(({ clusters, namespaces, serviceAccounts }) => {
      if (!clusters && !namespaces && !serviceAccounts) return []
      const trustDomain = trustDomainsOf(clusters, known)
      const namespace = oneOf(namespaces, ANY_NAMESPACE)
      const serviceAccount = oneOf(serviceAccounts, ANY_ACCOUNT)
      // An empty expression would match an empty name.
      return [trustDomain, namespace, serviceAccount].includes('') ? [] : [{ trustDomain, namespace, serviceAccount }]
    }),
  )

/** One expression for the whole SPIFFE id of any of the clients. */
export const spiffeIdOf = ({ trustDomain, namespace, serviceAccount }: Client): string =>
  `spiffe://(?:${trustDomain})/ns/(?:${namespace})/sa/(?:${serviceAccount})`
