import { createHash } from 'node:crypto'
import { gatewayBootstrap, gatewaySettings } from './render-gateway.ts'

/**
 * A gateway reads its bootstrap once. So each form of it has a name of its own, which the chart's Deployment asks for: an
 * upgrade that changes the form replaces the gateways, and the new ones wait until the compiler of their release has
 * written what they need.
 */
const keyOf = (mtls: boolean): string => {
  const form = JSON.stringify(gatewayBootstrap({ ...gatewaySettings('-'), mtls }))
  return `bootstrap-${createHash('sha256').update(form).digest('hex').slice(0, 10)}.json`
}

/** Keys of the ConfigMap, as the chart knows them. */
export const GATEWAY_BOOTSTRAPS = { plain: keyOf(false), mtls: keyOf(true) } as const

/** The bootstraps of a cluster's gateways: with an identity, without, and by the name that earlier releases knew. */
export const gatewayBootstraps = (clusterKey: string, ipv6 = false): Readonly<Record<string, string>> => {
  const settings = { ...gatewaySettings(clusterKey), ipv6 }
  const plain = JSON.stringify(gatewayBootstrap(settings))
  return {
    'bootstrap.json': plain,
    [GATEWAY_BOOTSTRAPS.plain]: plain,
    [GATEWAY_BOOTSTRAPS.mtls]: JSON.stringify(gatewayBootstrap({ ...settings, mtls: true })),
  }
}
