import type { ServiceImport } from '../../api/service-import.ts'

type Port = ServiceImport['spec']['ports'][number]

const sameAs = (a: Port) => (b: Port) => a.port === b.port && (a.protocol ?? 'TCP') === (b.protocol ?? 'TCP')

/** The spec that is wanted, with those endpoints of `there` that lead to clusters of `keep`. */
export function withKept(
  wanted: ServiceImport | undefined,
  there: ServiceImport,
  keep: readonly string[],
): ServiceImport['spec'] {
  const kept = there.spec.ports
    .map((port) => ({ ...port, endpoints: (port.endpoints ?? []).filter((each) => keep.includes(each.clusterKey)) }))
    .filter(({ endpoints }) => endpoints.length > 0)
  const { ips: _, ...base } = wanted?.spec ?? there.spec
  const ports = (wanted?.spec.ports ?? []).map((port) => {
    const more = kept.find(sameAs(port))?.endpoints ?? []
    const endpoints = [...(port.endpoints ?? []), ...more].toSorted((a, b) => (a.clusterKey < b.clusterKey ? -1 : 1))
    return { ...port, endpoints }
  })
  const others = kept.filter((port) => !ports.some(sameAs(port)))
  return { ...base, ports: [...ports, ...others].toSorted((a, b) => a.port - b.port) }
}
