import type { Cluster } from '../../api/cluster.ts'
import type { Code } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import { verdict } from '../../compiler/conditions.ts'
import type { WantedStatus } from '../../kube/status.ts'
import type { Published } from '../trust.ts'
import type { Vouching } from './observed-trust.ts'

/** What is known of a member's identity. */
export interface KnownTrust {
  /** The trust domain that it has been given; absent when its name is too long for one. */
  readonly trustDomain?: string
  /** As it was seen; absent when it was not. */
  readonly vouching?: Vouching
  /** The last good one, remembered or not. */
  readonly published?: Published
  /** `ns/name` of the ConfigMap there that says so. */
  readonly source: string
}

/** Enough to tell roots apart, and to find one by `openssl x509 -fingerprint -sha256`. */
const SHORT = 16

/** The part of a Cluster's status that says who vouches for it. Nothing = what was said before stands. */
export function trustStatus({ metadata }: Cluster, known: KnownTrust): WantedStatus | undefined {
  const problem = problemOf(known)
  if (problem === undefined) return undefined
  const { trustDomain, published } = known
  const issue: Issue<Code> = { path: '', ...problem, object: { kind: 'Cluster', name: metadata.name } }
  const said = verdict('Trusted', problem.code === 'RootsKnown' ? 'True' : 'False', [issue])
  const condition = { ...said, observedGeneration: metadata.generation ?? 0 }
  const roots = published?.bundle.roots ?? []
  return {
    conditions: [condition],
    extra: {
      ...(trustDomain === undefined ? {} : { trustDomain }),
      roots: roots.map(({ fingerprint, expires }) => ({ fingerprint: fingerprint.slice(0, SHORT), expires })),
    },
  }
}

function problemOf({
  trustDomain,
  vouching,
  published,
  source,
}: KnownTrust): Pick<Issue<Code>, 'code' | 'params'> | undefined {
  if (trustDomain === undefined) return { code: 'TrustDomainTooLong' }
  if (vouching?.state === 'malformed')
    return {
      code: 'RootsRefused',
      params: { source, problem: vouching.problem, count: published?.bundle.roots.length ?? 0 },
    }
  if (vouching?.state === 'unreadable') return { code: 'IdentityUnreadable', params: { source } }
  if (published === undefined)
    return vouching === undefined ? undefined : { code: 'IdentityMissing', params: { source } }
  if (published.trustDomain !== trustDomain)
    return { code: 'TrustDomainPending', params: { trustDomain, current: published.trustDomain } }
  const { roots } = published.bundle
  const [first = ''] = roots.map(({ expires }) => expires).toSorted()
  return { code: 'RootsKnown', params: { trustDomain, count: roots.length, first } }
}

/** What a person would want to know of a change of a Cluster's roots. */
export function trustNews(
  before: Cluster['status'],
  after: Cluster['status'],
): readonly Pick<Issue<Code>, 'code' | 'params'>[] {
  const trustDomain = after?.trustDomain ?? before?.trustDomain ?? ''
  const [was, is] = [before?.roots ?? [], after?.roots ?? []]
  const without = (some: typeof was, others: typeof was) =>
    some.filter(({ fingerprint }) => !others.some((other) => other.fingerprint === fingerprint))
  return [
    ...without(is, was).map(({ fingerprint, expires }) => ({
      code: 'RootAdded' as const,
      params: { fingerprint, expires, trustDomain },
    })),
    ...without(was, is).map(({ fingerprint }) => ({
      code: 'RootRemoved' as const,
      params: { fingerprint, trustDomain },
    })),
  ]
}
