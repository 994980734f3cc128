/** Rules for ServiceImport. */
import { clusterKeyRules, gatewayHostRules, isAddress, pathRules, unreachable } from './validate-fields.ts'
import { type At, type Finding, field, found, foundAbout, isRecord, items, repeated, text } from './validate-read.ts'

export function* importRules(root: At): Iterable<Finding> {
  const spec = field(root, 'spec')
  for (const ip of items(field(spec, 'ips'))) {
    if (text(ip) !== undefined && !isAddress(text(ip) ?? '')) yield found('AddressMalformed', ip)
  }
  const ports = items(field(spec, 'ports'))
  for (const twin of repeated(ports, portKey)) yield found('PortDuplicate', field(twin, 'port'))
  for (const port of ports) {
    const protocol = field(port, 'protocol')
    // The standard has such ports: who calls them goes to the pods.
    const isListed = isRecord(field(spec, 'standard').value)
    if (!isListed && (protocol.value === 'UDP' || protocol.value === 'SCTP')) yield found('ProtocolNotRouted', protocol)
    for (const endpoint of items(field(port, 'endpoints'))) yield* endpointRules(endpoint)
  }
}

function portKey(port: At): string | undefined {
  const number = field(port, 'port').value
  return typeof number === 'number' ? `${number}/${text(field(port, 'protocol')) ?? ''}` : undefined
}

function* endpointRules(endpoint: At): Iterable<Finding> {
  yield* clusterKeyRules(field(endpoint, 'clusterKey'))
  const target = field(endpoint, 'target')
  const host = field(target, 'host')
  const ip = field(target, 'ip')
  if (isRecord(target.value) && host.value === undefined && ip.value === undefined) {
    yield foundAbout('EndpointAddressMissing', target)
  }
  yield* gatewayHostRules(host)
  const address = text(ip)
  if (address !== undefined && (!isAddress(address) || unreachable(address) !== undefined)) {
    yield found('EndpointAddressMalformed', ip)
  }
  yield* pathRules(field(target, 'path'))
}
