/** What Portolan has made of a set of clusters, in a form that can be compared byte by byte. */
import { expect } from 'vitest'
import type { Condition, KubeObject } from '../../api/meta.ts'
import { MANAGED_BY } from '../../api/names.ts'
import * as resources from '../../api/resources.ts'
import { must } from '../../kube/failure.ts'
import type { Resource } from '../../kube/object.ts'
import { settles, until } from '../lab/run.ts'
import type { Clusters, TestCluster } from './clusters.ts'
import { RESOURCES } from './write.ts'

/** `cluster Kind namespace/name` → what Portolan wrote there, as text. */
export type EndState = Readonly<Record<string, string>>

type Loose = KubeObject & {
  readonly spec?: unknown
  readonly data?: Readonly<Record<string, string>>
  readonly status?: Readonly<Record<string, unknown>> & { readonly conditions?: readonly Condition[] }
}

/** @param leftOut clusters whose own state is not asked for, as nobody there would answer */
export async function endState(clusters: Clusters, leftOut: readonly string[] = []): Promise<EndState> {
  const asked = clusters.all.filter(({ name }) => !leftOut.includes(name))
  const parts = await Promise.all(
    asked.map((cluster) => (cluster === clusters.hub ? hubState(cluster) : memberState(cluster))),
  )
  return Object.fromEntries(parts.flat().toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** resourceVersion of everything that is part of the state of members. */
export async function versions({ members }: Clusters): Promise<EndState> {
  const parts = await Promise.all(
    members.map((member) => memberState(member, ({ metadata }) => metadata.resourceVersion)),
  )
  return Object.fromEntries(parts.flat())
}

/** Longer than anything that is put off on purpose, counts in the status of a Cluster for two seconds, and than a busy machine takes for it. */
const QUIET_MS = 5_000

/** The state once nothing has changed for a while. */
export const settled = (clusters: Clusters, leftOut: readonly string[] = []): Promise<EndState> =>
  settles('the state', () => endState(clusters, leftOut), { quiet: QUIET_MS, timeout: 150_000 })

/**
 * Waits until the state is as expected, and stays so. Shows what differs when it does not become so.
 * @param leftOut beginnings of entries that are not looked at; a cluster's name leaves out all of it
 */
export async function reaches(clusters: Clusters, expected: EndState, leftOut: readonly string[] = []): Promise<void> {
  const compared = (key: string) => leftOut.every((prefix) => !`${key} `.startsWith(`${prefix} `))
  const differing = async () => differences(await endState(clusters, leftOut), expected, compared)
  const isThere = async () => Object.keys((await differing()).found).length === 0
  await until('the state is as expected', isThere, { timeout: 90_000, every: 250 }).catch(() => undefined)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const { found, wanted } = await differing()
  expect(found).toEqual(wanted)
}

/** Entries that are not the same in both. */
function differences(found: EndState, wanted: EndState, compared: (key: string) => boolean) {
  const keys = [...new Set([...Object.keys(found), ...Object.keys(wanted)])].filter(compared)
  const differing = keys.filter((key) => found[key] !== wanted[key])
  const only = (state: EndState): Differing => Object.fromEntries(differing.map((key) => [key, state[key]]))
  return { found: only(found), wanted: only(wanted) }
}
type Differing = Readonly<Record<string, string | undefined>>

type Entry = readonly [key: string, text: string]

async function read(
  { name, client }: TestCluster,
  resource: Resource<KubeObject>,
  of: (object: Loose) => unknown,
): Promise<readonly Entry[]> {
  const { items } = must(await client.list(resource))
  return items.flatMap((object): readonly Entry[] => {
    const found = of(object as Loose)
    if (found === undefined) return []
    const { namespace, name: own } = object.metadata
    const key = namespace === undefined ? own : `${namespace}/${own}`
    return [[`${name} ${resource.kind} ${key}`, JSON.stringify(found, undefined, 1)]]
  })
}

const hubState = async (cluster: TestCluster): Promise<readonly Entry[]> => [
  ...(await read(cluster, RESOURCES.Cluster, statusOf)),
  // What the hub remembers holds uids and certificates.
  ...(await read(cluster, resources.SECRETS, ({ data = {} }) => Object.keys(data))),
]

/** @param of what is taken of an object; default: what Portolan has written there */
const memberState = async (cluster: TestCluster, of?: (object: Loose) => unknown): Promise<readonly Entry[]> =>
  (
    await Promise.all([
      read(cluster, resources.SERVICE_IMPORTS, of ?? importOf),
      read(cluster, resources.SERVICE_EXPORTS, of ?? statusOf),
      read(cluster, resources.GLOBAL_TRAFFIC_POLICIES, of ?? statusOf),
      read(cluster, resources.CONFIGMAPS, (each) => (isOurs(each) ? (of ?? dataOf)(each) : undefined)),
    ])
  ).flat()

const importOf = (object: Loose) => ({
  labels: object.metadata.labels,
  finalizers: object.metadata.finalizers,
  spec: object.spec,
  status: statusOf(object),
})

const isOurs = ({ metadata }: KubeObject): boolean =>
  metadata.name === 'portolan-cluster' ||
  Object.entries(MANAGED_BY).every(([label, value]) => metadata.labels?.[label] === value)

/** Without moments, and with the generation only as far as it tells whether the status is about the object as it is. */
function statusOf({ status = {}, metadata: { generation } }: Loose): unknown {
  const { lastSeen: _, conditions = [], ...rest } = status
  return {
    ...rest,
    conditions: conditions
      .map(({ lastTransitionTime, observedGeneration, ...condition }) => ({
        ...condition,
        current: observedGeneration === undefined || observedGeneration === generation,
      }))
      .toSorted((a, b) => (a.type < b.type ? -1 : 1)),
  }
}

/** As it is, but for clusters that a gateway keeps for one generation after their last route. */
function dataOf({ data = {} }: Loose): unknown {
  const { 'cds.json': cds, 'rds.json': rds } = data
  if (cds === undefined || rds === undefined) return data
  const { resources: all, ...rest } = JSON.parse(cds) as { readonly resources: readonly { readonly name: string }[] }
  const used = all.filter(({ name }) => rds.includes(JSON.stringify(name)))
  return { ...data, 'cds.json': JSON.stringify({ ...rest, resources: used }) }
}
