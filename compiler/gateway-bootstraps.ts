import { bootstrapKey } from './bootstrap-key.ts'
import { gatewayBootstrap, gatewaySettings } from './render-gateway.ts'

const keyOf = (mtls: boolean): string => bootstrapKey(gatewayBootstrap({ ...gatewaySettings('-'), mtls }))

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
