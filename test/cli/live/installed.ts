/** A cluster that Portolan was installed in, without nodes: what commands read of a live cluster is there all the same. */
import { render } from '../../chart/helm.ts'
import type { ApiServer } from '../../kube/apiserver.ts'
import { CLUSTER_KEY, kubectl, startInstalled } from '../../kube/compiler.ts'
import { type Look, lookAt } from '../../kube/look.ts'
import { portolan, type Session } from '../session.ts'

export interface Installed {
  readonly api: ApiServer
  readonly look: Look
  /** The command line, pointed at the cluster. */
  readonly portolan: (line: string, stdin?: string) => Promise<Session>
}

/** With the compiler's Deployment, but nobody to run it. */
export async function installed(): Promise<Installed> {
  const api = await startInstalled()
  const name = CLUSTER_KEY.split('/').at(-1)
  const deployment = await render('--show-only', 'templates/compiler/deployment.yaml', '--set', `cluster.name=${name}`)
  await kubectl(api, ['apply', '-f', '-'], deployment)
  return {
    api,
    look: lookAt(api),
    portolan: (line, stdin) =>
      portolan([...line.split(' '), '--kubeconfig', api.kubeconfig], { ...(stdin === undefined ? {} : { stdin }) }),
  }
}

/** Addresses are given out by the cluster: a text to compare names none. */
export function withoutAddresses(text: string): string {
  return text.replaceAll(/240\.240\.\d+\.\d+/g, 'VIP').replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME')
}
