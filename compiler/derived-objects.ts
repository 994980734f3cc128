import { DERIVED_FROM_ANNOTATION, MANAGED_BY } from '../api/names.ts'
import type { ServiceImport } from '../api/service-import.ts'
import { derivedName } from './derived.ts'
import { keyOf } from './keys.ts'
import type { WantedObject } from './objects.ts'
import type { EgressListener } from './tables.ts'
import { isTcp } from './world.ts'

/** As Kubernetes wants the names of a Service's ports. */
const PORT_NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
/** What ports are called that have no name of their own; no other port may be called so. */
const GIVEN_NAME = /^tcp-\d+$/

/** The most addresses that a slice may have is 1000, which no egress comes near. */
const FAMILIES = ['IPv4', 'IPv6'] as const

/**
 * The Service by which pods without a sidecar call an import, and the slices that lead its calls to the egress. Without
 * anybody who takes calls it has none, so that connections are refused.
 *
 * @param listeners of the import; at least one
 * @param pods addresses of the egress
 */
export const derivedObjects = (
  imported: ServiceImport,
  listeners: readonly EgressListener[],
  pods: Readonly<Record<(typeof FAMILIES)[number], readonly string[]>>,
): readonly WantedObject[] => {
  const service = keyOf(imported)
  const { namespace = 'default' } = imported.metadata
  const name = derivedName(service)
  const ports = portsOf(imported, listeners)
  return [
    {
      kind: 'Service',
      namespace,
      name,
      annotations: { [DERIVED_FROM_ANNOTATION]: service },
      fields: {
        spec: {
          type: 'ClusterIP',
          ports: ports.map(({ name, port, appProtocol, at }) => ({
            ...(name === '' ? {} : { name }),
            port,
            protocol: 'TCP',
            targetPort: at,
            ...(appProtocol === undefined ? {} : { appProtocol }),
          })),
        },
      },
    },
    ...FAMILIES.flatMap((family): readonly WantedObject[] =>
      pods[family].length === 0
        ? []
        : [
            {
              kind: 'EndpointSlice',
              namespace,
              name: `${name}-${family.toLowerCase()}`,
              labels: {
                'kubernetes.io/service-name': name,
                'endpointslice.kubernetes.io/managed-by': MANAGED_BY['app.kubernetes.io/managed-by'],
              },
              fields: {
                addressType: family,
                endpoints: pods[family].map((address) => ({ addresses: [address], conditions: { ready: true } })),
                ports: ports.map(({ name, at }) => ({ name, port: at, protocol: 'TCP' })),
              },
            },
          ],
    ),
  ]
}

/** With names that are unique, as a Service wants them; a single port needs none. */
const portsOf = (imported: ServiceImport, listeners: readonly EgressListener[]) => {
  const said = new Map(imported.spec.ports.filter(isTcp).map((port) => [port.port, port]))
  const names = listeners.map(({ port }) => said.get(port)?.name ?? '')
  return listeners.map(({ port, at }, index) => {
    const own = names[index] ?? ''
    const isGood = PORT_NAME.test(own) && !GIVEN_NAME.test(own) && names.indexOf(own) === index
    const name = isGood ? own : listeners.length === 1 ? '' : `tcp-${port}`
    return { name, port, at, appProtocol: said.get(port)?.appProtocol }
  })
}
