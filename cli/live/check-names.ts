import { CLUSTERSET_DOMAIN, DNS_CONFIGMAP } from '../../api/names.ts'
import { isForAll } from '../../compiler/dns-names.ts'
import { byKey } from '../../compiler/keys.ts'
import { forwardsTo, hostPort } from '../corefile.ts'
import { type Check, found, reading } from './checks.ts'
import { COREFILE, forwardingTo } from './cluster-dns-place.ts'

/** Whether pods without a sidecar resolve what they could call. */
export const clusterDns: Check = {
  name: 'cluster-dns',
  title: `the cluster's DNS answers names of ${CLUSTERSET_DOMAIN}`,
  look: ({ snapshot, tables, corefile, namespace, mesh }) => {
    const object = { kind: 'ConfigMap', ...COREFILE.configMap }
    return reading(tables, object, ({ clusterset }) =>
      reading(corefile, object, (map) => {
        const services = snapshot.ok ? byKey(snapshot.value.services) : new Map()
        const forwarding = forwardingTo(services.get(`${namespace}/${DNS_CONFIGMAP}`), mesh.clusterDomain)
        const there = forwardsTo(map?.data?.[COREFILE.key] ?? '')
        const address = forwarding && hostPort(forwarding)
        if (address !== undefined && there === address) return { seen: `from mesh DNS at ${there}`, found: [] }
        if (address === undefined || !clusterset.some(isForAll))
          return { seen: 'not needed: pods without a sidecar have nothing to call there', found: [] }
        const why = map === undefined ? 'it is not there' : there === undefined ? 'it does not' : `it names ${there}`
        return { seen: '', found: [found('NamesNotForwarded', object, { why, address })] }
      }),
    )
  },
}
