import type { Issue } from '../../api/issue.ts'
import { IDENTITY_CONFIGMAP, TRUST_CONFIGMAP } from '../../api/names.ts'
import { readBundle } from '../../api/trust-bundle.ts'
import { withoutIdentity } from '../../compiler/controller/readers.ts'
import type { Trust } from '../../compiler/tables.ts'
import { refOf } from '../objects.ts'
import { amount } from '../print.ts'
import { type Check, type Found, found, foundIssue, reading } from './checks.ts'
import { type ProxyTls, readCertificates } from './proxy-tls.ts'

/** A root gets its successor long before. */
const SOON_MS = 14 * 86_400_000

export const mtls: Check = {
  name: 'mtls',
  title: 'calls between clusters are authenticated',
  look: ({ mesh, namespace, snapshot, pods, now }) => {
    if (!mesh.mtls) return { seen: 'no: identity.enabled is false, they are plain HTTP', found: [] }
    return reading(snapshot, { kind: 'ConfigMap', namespace, name: IDENTITY_CONFIGMAP }, ({ trust }) => {
      const object = { kind: 'ConfigMap', namespace, name: IDENTITY_CONFIGMAP }
      if (trust === undefined || trust.trustDomain === '') return { seen: '', found: [found('IdentityAbsent', object)] }
      const domains = rootsIn(trust)
      const before = pods.ok ? withoutIdentity(pods.value).map(({ issue }) => foundIssue(issue as Issue)) : []
      const first = domains.map(({ until }) => until).toSorted()[0] ?? ''
      return {
        seen: `${trust.trustDomain} believes ${amount(domains.length, 'trust domain')}, the first root runs out on ${first.slice(0, 10)}`,
        found: [...domains.flatMap((domain) => runningOut(domain, namespace, trust, now)), ...before],
      }
    })
  },
}

interface Domain {
  readonly name: string
  /** When the last of its roots runs out, RFC 3339. */
  readonly until: string
}

function rootsIn({ bundle }: Trust): readonly Domain[] {
  const { trust_domains: domains } = JSON.parse(bundle) as { readonly trust_domains: Readonly<Record<string, unknown>> }
  return Object.entries(domains).map(([name, document]) => {
    const read = readBundle(JSON.stringify(document))
    const ends = read.ok ? read.bundle.roots.map(({ expires }) => expires).toSorted() : []
    return { name, until: ends.at(-1) ?? '' }
  })
}

function runningOut({ name, until }: Domain, namespace: string, { trustDomain }: Trust, now: Date): readonly Found[] {
  if (Date.parse(until) - now.getTime() > SOON_MS) return []
  const source = name === trustDomain ? IDENTITY_CONFIGMAP : TRUST_CONFIGMAP
  return [found('RootRunsOut', { kind: 'ConfigMap', namespace, name: source }, { trustDomain: name, until })]
}

/** Renewed at two thirds of its life: at this part of it something is wrong. */
const OLD = 3 / 4

export const proxyTls: Check = {
  name: 'proxy-tls',
  title: 'proxies have what they need for TLS',
  look: ({ mesh, proxies: { all, answers }, now }) => {
    if (!mesh.mtls) return { seen: 'not needed: identity.enabled is false', found: [] }
    const asked =
      answers.length < all ? `the newest ${answers.length} of ${all}` : all === 1 ? 'one proxy' : `all ${all}`
    return {
      seen: all === 0 ? 'none speaks it yet' : asked,
      found: answers.flatMap((each) => tlsOf(each, now)),
    }
  },
}

function tlsOf({ pod, answer }: ProxyTls, now: Date): readonly Found[] {
  const object = refOf(pod)
  if (!answer.ok) return [found('CheckImpossible', object, { why: answer.failure.message })]
  const shown = readCertificates(answer.value)
  if (shown === undefined) return [found('ProxyTlsNotReady', object)]
  const [from, until] = [Date.parse(shown.from), Date.parse(shown.until)]
  if (until <= now.getTime()) return [found('ProxyCertificateExpired', object, { until: shown.until })]
  if (from + (until - from) * OLD > now.getTime()) return []
  return [found('ProxyCertificateOld', object, { until: shown.until })]
}
