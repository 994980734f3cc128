import { X509Certificate } from 'node:crypto'
import { crd } from '../../api/crd.ts'
import { KINDS, type Kind } from '../../api/kinds.ts'
import { VERSION } from '../../api/names.ts'
import { MCS_EXPORTS_OLDER } from '../../api/resources.ts'
import { STANDARD_KINDS } from '../../api/standard-kinds.ts'
import type { Schema } from '../../api/structural.ts'
import type { Lease } from '../../kube/lease.ts'
import { amount } from '../print.ts'
import type { Definition, WebhookConfiguration } from './check-kinds.ts'
import { type Check, type Found, found, reading } from './checks.ts'
import type { Deployment } from './mesh.ts'

/** As in the chart, which says why. */
const LEAST_KUBERNETES = [1, 30] as const

const kubernetes: Check = {
  name: 'kubernetes',
  title: 'Kubernetes is new enough',
  look: ({ version }) => {
    const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
    const [least, leastMinor] = LEAST_KUBERNETES
    const old = major < least || (major === least && minor < leastMinor)
    const params = { version, least: LEAST_KUBERNETES.join('.') }
    return {
      seen: version,
      found: old ? [found('KubernetesTooOld', { kind: 'Cluster', name: 'this' }, params)] : [],
    }
  },
}

const definitions: Check = {
  name: 'definitions',
  title: 'the kinds are defined',
  look: (facts) =>
    reading(facts.definitions, { kind: 'CustomResourceDefinition', name: 'all' }, (all) => ({
      seen: `${KINDS.length} of ${KINDS.length}, as this version needs them`,
      found: [
        ...KINDS.flatMap((kind) => definitionOf(kind, all)),
        ...STANDARD_KINDS.flatMap((kind) => standardDefinitionOf(kind, all)),
      ],
    })),
}

function definitionOf(kind: Kind, all: readonly Definition[]): readonly Found[] {
  const name = `${kind.plural}.${kind.group}`
  const object = { kind: 'CustomResourceDefinition', name }
  const there = all.find(({ metadata }) => metadata.name === name)?.spec.versions.find((each) => each.name === VERSION)
  if (!there?.served) return [found('DefinitionMissing', object)]
  const known = new Set(fieldsOf(there.schema?.openAPIV3Schema))
  const needed = (crd(kind) as Definition).spec.versions.flatMap(({ schema }) => fieldsOf(schema?.openAPIV3Schema))
  const missing = needed.filter((field) => !known.has(field))
  const [first, ...rest] = missing
  if (first === undefined) return []
  const text = rest.length === 0 ? first : `${first} and ${amount(rest.length, 'more field')}`
  return [found('DefinitionOutdated', object, { missing: text })]
}

/** One that is not there at all is not wanted. */
function standardDefinitionOf({ plural, group, versions }: Kind, all: readonly Definition[]): readonly Found[] {
  const name = `${plural}.${group}`
  const version = versions.at(-1) ?? ''
  const there = all.find(({ metadata }) => metadata.name === name)
  if (there === undefined || there.spec.versions.some((each) => each.name === version && each.served)) return []
  const readable = MCS_EXPORTS_OLDER.filter((each) => each.plural === plural && each.group === group)
  const isRead = readable.some((each) => there.spec.versions.some((one) => one.name === each.version && one.served))
  const code = isRead ? 'DefinitionOfOthersReadOnly' : 'DefinitionOfOthersOutdated'
  return [found(code, { kind: 'CustomResourceDefinition', name }, { version })]
}

/** Every field below a schema, as `spec.ports[].port`. */
function fieldsOf(schema: Schema | undefined, path = ''): readonly string[] {
  return [
    ...Object.entries(schema?.properties ?? {}).flatMap(([name, child]) => {
      const below = path === '' ? name : `${path}.${name}`
      return [below, ...fieldsOf(child, below)]
    }),
    ...(schema?.items === undefined ? [] : fieldsOf(schema.items, `${path}[]`)),
  ]
}

/** Deployments of the chart; those that a value switches off may be missing. */
const COMPONENTS = [
  { name: 'portolan-webhook', always: true },
  { name: 'portolan-compiler', always: true },
  { name: 'portolan-dns', always: true },
  { name: 'portolan-gateway', always: false },
  { name: 'portolan-egress', always: false },
  { name: 'portolan-identity', always: false },
  { name: 'portolan-federation', always: false },
] as const

const components: Check = {
  name: 'components',
  title: 'all parts are running',
  look: ({ deployments, namespace }) =>
    reading(deployments, { kind: 'Deployment', namespace, name: 'all' }, (all) => {
      const there = COMPONENTS.map((each) => all.find(({ metadata }) => metadata.name === each.name))
      return {
        seen: there
          .flatMap((each) => (each === undefined ? [] : [`${shortName(each)} ${readyOf(each)}/${wantedOf(each)}`]))
          .join(', '),
        found: COMPONENTS.flatMap(({ name, always }, index) => {
          const object = { kind: 'Deployment', namespace, name }
          const deployment = there[index]
          if (deployment === undefined) return always ? [found('ComponentMissing', object)] : []
          const [ready, wanted] = [readyOf(deployment), wantedOf(deployment)]
          if (wanted === 0) return [found('ComponentOff', object)]
          if (ready >= wanted) return []
          return [found(ready === 0 ? 'ComponentDown' : 'ComponentDegraded', object, { ready, wanted })]
        }),
      }
    }),
}

const shortName = ({ metadata }: Deployment): string => metadata.name.replace(/^portolan-/, '')
const readyOf = ({ status }: Deployment): number => status?.readyReplicas ?? 0
const wantedOf = ({ spec }: Deployment): number => spec.replicas ?? 1

const WEBHOOK_KINDS = ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'] as const

const registration: Check = {
  name: 'webhook-registered',
  title: 'the API server knows the webhook',
  look: ({ mutating, validating, now }) => {
    const looks = [mutating, validating].map((result, index) => {
      const object = { kind: WEBHOOK_KINDS[index] ?? '', name: 'portolan' }
      return reading(result, object, (configuration) => ({
        seen: '',
        found:
          configuration === undefined ? [found('WebhookNotRegistered', object)] : trustOf(configuration, object, now),
      }))
    })
    return { seen: 'registered and trusted', found: looks.flatMap((look) => look.found) }
  },
}

/** A root is renewed long before. */
const RENEWED_BY_MS = 3 * 24 * 3_600_000

function trustOf({ webhooks = [] }: WebhookConfiguration, object: Found['object'], now: Date): readonly Found[] {
  return webhooks.flatMap(({ name, clientConfig }) => {
    const ends = certificatesOf(clientConfig.caBundle).map(({ validTo }) => Date.parse(validTo))
    // While one root changes into the next both are there.
    const last = Math.max(...ends)
    if (ends.length === 0) return [found('WebhookNotTrusted', object, { webhook: name })]
    const params = { webhook: name, at: new Date(last).toISOString().replace(/\.\d+/, '') }
    if (last <= now.getTime()) return [found('WebhookTrustExpired', object, params)]
    return last - now.getTime() < RENEWED_BY_MS ? [found('WebhookTrustExpires', object, params)] : []
  })
}

/** @param caBundle base64 of PEM; what is no certificate is none */
function certificatesOf(caBundle = ''): readonly X509Certificate[] {
  const pem = Buffer.from(caBundle, 'base64').toString()
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).flatMap((text) => {
    try {
      return [new X509Certificate(text)]
    } catch {
      return []
    }
  })
}

const webhook: Check = {
  name: 'webhook-answers',
  title: 'the webhook answers the API server',
  look: ({ trial, namespace }) => {
    const object = { kind: 'Service', namespace, name: 'portolan-webhook' }
    const seen = 'it refused a faulty export that was offered to it'
    if (trial.outcome === 'answered') return { seen, found: [] }
    if (trial.outcome === 'silent') return { seen, found: [found('WebhookSilent', object, { why: trial.why })] }
    return { seen, found: [found('CheckImpossible', object, { why: trial.failure.message })] }
  },
}

const leaders: Check = {
  name: 'leaders',
  title: 'controllers have a leader',
  look: ({ leases, deployments, namespace, now }) =>
    reading(leases, { kind: 'Lease', namespace, name: 'all' }, (all) => {
      const running = deployments.ok ? deployments.value.map(({ metadata }) => metadata.name) : []
      const needed = ['portolan-compiler', 'portolan-federation', 'portolan-identity'].filter((name) =>
        running.includes(name),
      )
      const leaseOf = (name: string) => all.find(({ metadata }) => metadata.name === name)
      return {
        seen: needed.map((name) => `${name.replace(/^portolan-/, '')} ${podOf(leaseOf(name))}`).join(', '),
        found: needed.flatMap((name) => {
          const why = leaderless(leaseOf(name), now)
          return why === undefined ? [] : [found('NobodyLeads', { kind: 'Lease', namespace, name }, { why })]
        }),
      }
    }),
}

/** A replica puts a suffix of its own behind its pod's name. */
const podOf = (lease: Lease | undefined): string => (lease?.spec?.holderIdentity ?? '').replace(/_[0-9a-f]+$/, '')

/** Clocks differ, here and there; what has not been renewed for this long has nobody to renew it. */
const PATIENCE_MS = 60_000

function leaderless(lease: Lease | undefined, now: Date): string | undefined {
  if (lease?.spec === undefined) return 'the Lease is not there'
  const { holderIdentity = '', renewTime = '', leaseDurationSeconds = 0 } = lease.spec
  if (holderIdentity === '') return 'the last one gave it back'
  const silentMs = now.getTime() - Date.parse(renewTime)
  if (silentMs < leaseDurationSeconds * 1_000 + PATIENCE_MS) return undefined
  return `${podOf(lease)} last said so at ${renewTime.replace(/\.\d+/, '')}`
}

export const installationChecks: readonly Check[] = [
  kubernetes,
  definitions,
  components,
  registration,
  webhook,
  leaders,
]
