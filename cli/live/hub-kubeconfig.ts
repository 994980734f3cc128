import { stringify } from 'yaml'
import { unreachable } from '../../webhook/validate-fields.ts'
import { UsageError } from '../io.ts'

/** What the hub needs to work in a member. */
export interface HubAccess {
  readonly cluster: string
  /** URL of the member's API server, as the hub reaches it. */
  readonly server: string
  /** PEM; absent = the authorities that every machine trusts. */
  readonly ca?: string
  /** Name in the server's certificate, where it is not the one in `server`. */
  readonly servername?: string
  readonly token: string
  /** Portolan's own in the member. */
  readonly namespace: string
}

/** A kubeconfig that holds everything itself. */
export function hubKubeconfig({ cluster, server, ca, servername, token, namespace }: HubAccess): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: cluster,
        cluster: {
          server,
          ...(ca === undefined ? {} : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
          ...(servername === undefined ? {} : { 'tls-server-name': servername }),
        },
      },
    ],
    users: [{ name: cluster, user: { token } }],
    contexts: [{ name: cluster, context: { cluster, user: cluster, namespace } }],
    'current-context': cluster,
  })
}

/**
 * The URL as it goes into the kubeconfig.
 * @param prefix what the flag that gives another one begins with
 * @throws UsageError when the hub cannot reach a server of that name, being on another machine
 */
export function reachableServer(url: string, prefix = ''): string {
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:')
    throw new UsageError(`${url} is no address of an API server; write https://HOST:PORT`)
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  const what = unreachable(host)
  if (what === undefined) return url.replace(/\/+$/, '')
  throw new UsageError(
    `the hub cannot reach the API server at ${url}: to every machine ${host} is itself (${what}); give the address that the hub's pods reach it at with --${prefix}server https://HOST:PORT (of a kind cluster: docker inspect -f '{{.NetworkSettings.Networks.kind.IPAddress}}' NAME-control-plane, port 6443)`,
  )
}
