import type { Logger } from 'pino'
import type { KubeClient } from '../../kube/client.ts'
import type { LinkTimes } from './link.ts'
import type { Metrics } from './metrics.ts'

export interface HubOptions {
  readonly client: KubeClient
  /** Portolan's own namespace at the hub. */
  readonly namespace: string
  /** Name of this replica. */
  readonly instance: string
  readonly createNamespaces: boolean
  /** Suffix of the trust domains that members are given. */
  readonly trustDomain: string
  readonly times: LinkTimes
  readonly isLeader: () => boolean
  readonly metrics: Metrics
  readonly log: Logger
}
