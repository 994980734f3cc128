import { globalService } from '../../api/global-service.ts'
import { byKey } from '../../compiler/keys.ts'
import { CLUSTER_MESH } from '../../federation/global-services.ts'
import { amount } from '../print.ts'
import { type Check, reading } from './checks.ts'

/** Whether Services that ask by annotation to be shared are, and who says otherwise: a hint, as any of it may be meant. */
export const globalServices: Check = {
  name: 'global-services',
  title: 'Services that are global by annotation',
  look: ({ snapshot, mesh: { identity } }) =>
    reading(snapshot, { kind: 'Service', name: 'all' }, ({ services }) => {
      const global = services.filter((service) => globalService(service)?.global === true)
      const why = () => {
        if (!identity.joined) return 'not shared, as no hub has this cluster for a member: portolan cluster join'
        if (byKey(services).has(CLUSTER_MESH))
          return `left to Cilium's own cluster mesh; the hub's Cluster may say spec.globalServices: Enabled`
        return "not shared, as the hub's Cluster says spec.globalServices: Disabled"
      }
      if (global.length === 0) return { seen: 'none', found: [] }
      return { seen: `${amount(global.length, 'Service')}, ${identity.globalServices ? 'shared' : why()}`, found: [] }
    }),
}
