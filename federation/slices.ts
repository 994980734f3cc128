import { createHash } from 'node:crypto'
import { MANAGED_BY, MCS_SERVICE_NAME_LABEL, MCS_SOURCE_CLUSTER_LABEL } from '../api/names.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { LastAnswers } from '../compiler/memo.ts'
import { by } from '../compiler/order.ts'

/** What a slice of endpoints says, bare of what is about nodes and pods of its cluster. */
export interface SliceContent {
  readonly addressType: string
  readonly endpoints: readonly {
    readonly addresses: readonly string[]
    readonly hostname?: string
    readonly conditions?: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
  }[]
  readonly ports: readonly {
    readonly name?: string
    readonly port?: number
    readonly protocol?: string
    readonly appProtocol?: string
  }[]
}

/** A slice of a Service in the cluster that exports it. */
export interface SourceSlice {
  /** Of the slice; its namespace is the Service's. */
  readonly name: string
  readonly content: SliceContent
}

/** Slices of a cluster's Services, by ns/name of the Service; sorted by name. */
export type SourceSlices = Readonly<Record<string, readonly SourceSlice[]>>

/** A slice as a cluster is to hold it for another, or for itself. */
export interface WantedSlice {
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly content: SliceContent
  /** Of labels and content. */
  readonly hash: string
}

/** Kubernetes' own label for who writes a slice, and what it is for those of the hub. */
export const SLICES_MANAGED_BY_LABEL = 'endpointslice.kubernetes.io/managed-by'
export const SLICES_MANAGED_BY = 'federation.flomesh.io'

/** Of Kubernetes' own slices, too; an endpoint with no word about it is ready. */
export const isReady = ({ conditions: { ready, terminating } = {} }: SliceContent['endpoints'][number]): boolean =>
  ready !== false && terminating !== true

/**
 * How many endpoints of a Service are ready, by name of port. A pod with addresses of two families counts once, and so does
 * one that is in two slices for a moment.
 */
export function readyByPort(slices: readonly SourceSlice[]): Readonly<Record<string, number>> {
  const ready = new Map<string, Map<string, Set<string>>>()
  for (const { content } of slices) {
    const addresses = content.endpoints.filter(isReady).flatMap((endpoint) => endpoint.addresses.slice(0, 1))
    for (const { name = '' } of content.ports) {
      const families = ready.get(name) ?? new Map<string, Set<string>>()
      ready.set(name, families)
      const known = families.get(content.addressType) ?? new Set()
      families.set(content.addressType, known)
      for (const address of addresses) known.add(address)
    }
  }
  return Object.fromEntries(
    [...ready]
      .map(([name, families]) => [name, Math.max(...[...families.values()].map(({ size }) => size))] as const)
      .toSorted(by(([name]) => name)),
  )
}

/**
 * The slices that a cluster holds of all clusters that export what it imports by the standard, sorted by namespace and name.
 * What has not changed is the very same value, in all clusters.
 * @param slicesIn those of a cluster, by its name
 */
export const wantedSlices = (
  imports: readonly ServiceImport[],
  slicesIn: (cluster: string) => SourceSlices | undefined,
): readonly WantedSlice[] =>
  imports
    .filter(({ spec }) => spec.standard !== undefined)
    .flatMap(({ metadata, spec }) =>
      (spec.standard?.clusters ?? []).flatMap((cluster) => {
        const { namespace = '', name } = metadata
        const slices = slicesIn(cluster)?.[`${namespace}/${name}`] ?? []
        return slices.map((slice) =>
          answers.get(slice, [cluster, namespace, name], () => copyOf(cluster, metadata, slice)),
        )
      }),
    )
    .toSorted(
      by(
        ({ namespace }) => namespace,
        ({ name }) => name,
      ),
    )

const answers = new LastAnswers<SourceSlice, WantedSlice>()

const copyOf = (
  cluster: string,
  { namespace = '', name: service }: ServiceImport['metadata'],
  { name, content }: SourceSlice,
): WantedSlice => ({
  namespace,
  name: copyName(cluster, service, name, content.addressType),
  labels: {
    ...MANAGED_BY,
    [SLICES_MANAGED_BY_LABEL]: SLICES_MANAGED_BY,
    [MCS_SERVICE_NAME_LABEL]: service,
    [MCS_SOURCE_CLUSTER_LABEL]: cluster,
  },
  content,
  hash: sliceHash(service, cluster, content),
})

/** Stands for all that the hub writes into a slice. */
export const sliceHash = (service: string, cluster: string, content: SliceContent): string =>
  shortHash([service, cluster, content])

/** At most 63 + 1 + 63 + 1 + 16 characters. The type of addresses of a slice can never change, so another has another name. */
const copyName = (cluster: string, service: string, slice: string, addressType: string): string =>
  `${service}-${cluster}-${shortHash([cluster, service, slice, addressType])}`

const shortHash = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16)
