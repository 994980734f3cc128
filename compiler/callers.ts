/** Whose calls a sidecar takes to which backend, where calls need a TrafficTarget. */
import type { ServiceImport } from '../api/service-import.ts'
import { keyOf } from './keys.ts'
import type { Backend } from './tables.ts'
import { callersOf, type Workload, workloadOf } from './traffic-targets.ts'
import type { World } from './world.ts'

/** What a backend runs as: here what its pods say, elsewhere what the export says. One that says `*` may run as anything. */
export const workloadAt = (world: World, imported: ServiceImport, clusterKey: string): Workload => {
  const service = keyOf(imported)
  const [namespace = ''] = service.split('/')
  const { serviceAccountName: said = '*' } = imported.spec
  if (clusterKey !== world.mesh.clusterKey) return { namespace, accounts: said === '*' ? 'any' : [said] }
  return world.grants ? workloadOf(world.grants, service) : { namespace, accounts: [] }
}

/** `shop/pay, shop/pay-v2`: the service accounts of a workload, for people. */
export const accountsNamed = ({ namespace, accounts }: Workload): string => {
  if (accounts === 'any') return `any service account of namespace ${namespace}`
  if (accounts.length === 0) return 'its service account, which cannot be told before it has a pod,'
  return accounts.map((account) => `service account ${namespace}/${account}`).join(' and ')
}

export const withCallers = (
  world: World,
  imported: ServiceImport,
  backends: readonly Backend[],
): readonly Backend[] => {
  const { grants } = world
  if (grants === undefined) return backends
  return backends.map((backend) => ({
    ...backend,
    callers: callersOf(grants, workloadAt(world, imported, backend.clusterKey), 'http'),
  }))
}
