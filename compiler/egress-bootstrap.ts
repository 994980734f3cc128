import { bootstrapKey } from './bootstrap-key.ts'
import { egressBootstrap, egressSettings } from './render-egress.ts'

/** Key of the ConfigMap, as the chart knows it. */
export const EGRESS_BOOTSTRAP = bootstrapKey(egressBootstrap(egressSettings('-')))

/** The bootstrap of a cluster's egress, by its key. */
export const egressBootstraps = (clusterKey: string, ipv6 = false): Readonly<Record<string, string>> => ({
  [EGRESS_BOOTSTRAP]: JSON.stringify(egressBootstrap({ ...egressSettings(clusterKey), ipv6 })),
})
