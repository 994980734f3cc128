import type { EndpointSlice } from '../../api/core.ts'
import type { KubeObject } from '../../api/meta.ts'
import { MCS_SERVICE_NAME_LABEL, MCS_SOURCE_CLUSTER_LABEL } from '../../api/names.ts'
import { sharing } from '../../compiler/memo.ts'
import { type SliceContent, sliceHash } from '../slices.ts'
import { identityOf, isOurs } from './observed.ts'

/** Label by which Kubernetes' own slices name their Service. */
export const SERVICE_NAME_LABEL = 'kubernetes.io/service-name'

/** A slice of a Service of the member's own. */
export interface ObservedSlice extends KubeObject {
  /** ns/name of the Service. */
  readonly service: string
  readonly content: SliceContent
}

/** A slice that stands for one of another cluster. Its contents by their hash. */
export interface ObservedCopy extends KubeObject {
  /** Made by the hub, and not taken over by somebody since. */
  readonly ours: boolean
  readonly hash: string
  /** Name of the cluster. */
  readonly source: string
}

/** Nothing for a slice of no Service. */
export function observeSlice(object: EndpointSlice): ObservedSlice | undefined {
  const { apiVersion, kind, metadata } = object
  const service = metadata.labels?.[SERVICE_NAME_LABEL]
  if (service === undefined) return undefined
  return {
    apiVersion,
    kind,
    metadata: identityOf(object),
    service: `${metadata.namespace}/${service}`,
    content: contentOf(object),
  }
}

export function observeCopy(object: EndpointSlice): ObservedCopy {
  const { apiVersion, kind, metadata } = object
  const source = metadata.labels?.[MCS_SOURCE_CLUSTER_LABEL] ?? ''
  const service = metadata.labels?.[MCS_SERVICE_NAME_LABEL] ?? ''
  return {
    apiVersion,
    kind,
    metadata: identityOf(object),
    ours: isOurs(object),
    hash: sliceHash(service, source, contentOf(object)),
    source,
  }
}

const contentOf = ({ addressType, endpoints, ports }: EndpointSlice): SliceContent => ({
  addressType,
  endpoints: (endpoints ?? []).map(({ addresses, hostname, conditions = {} }) => ({
    addresses,
    ...(hostname === undefined ? {} : { hostname }),
    ...(Object.keys(conditions).length === 0 ? {} : { conditions: sharing(conditionsOf(conditions)) }),
  })),
  ports: sharing((ports ?? []).map(portOf)),
})

/** With the fields of every object in one order. */
const conditionsOf = ({ ready, serving, terminating }: SliceCondition): SliceCondition => ({
  ...(ready === undefined ? {} : { ready }),
  ...(serving === undefined ? {} : { serving }),
  ...(terminating === undefined ? {} : { terminating }),
})
type SliceCondition = NonNullable<SliceContent['endpoints'][number]['conditions']>

const portOf = ({
  name,
  port,
  protocol,
  appProtocol,
}: SliceContent['ports'][number]): SliceContent['ports'][number] => ({
  ...(name === undefined || name === '' ? {} : { name }),
  ...(port === undefined ? {} : { port }),
  ...(protocol === undefined ? {} : { protocol }),
  ...(appProtocol === undefined ? {} : { appProtocol }),
})
