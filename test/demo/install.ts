/** Portolan in each of the four clusters, and the way back to before the walkthrough. */
import { CONTROL_PLANE } from '../e2e/mesh.ts'
import type { ClusterProvider } from '../lab/provider.ts'
import { run } from '../lab/run.ts'
import { CLUSTERS, file, GATEWAY_PORT, HUB, MEMBERS, type Member, setScene } from './clusters.ts'
import type { Chapter } from './printed.ts'

/** Portolan in each cluster by these values files; the first command is one that they need. */
export function installing(values: readonly string[] = [], before: readonly string[] = []): Chapter {
  const install = (name: string, flags: string) =>
    `portolan install --context ${name} --cluster-name ${name} ${flags} ${[file('values.yaml'), ...values].map((each) => `-f ${each}`).join(' ')}`
  const ofMember = (name: Member) => install(name, `--no-hub --gateway-host-port ${GATEWAY_PORT[name]}`)
  /** It takes no part in traffic. */
  const ofHub = install(HUB, '--hub --set gateway.enabled=false,egress.enabled=false')
  return {
    title: 'Four clusters, Portolan in each',
    async run({ show, showAll }) {
      await show(`for NAME in ${CLUSTERS.join(' ')}; do kubectl --context $NAME get nodes --no-headers; done`)
      for (const command of before) await show(command)
      await showAll([ofHub, ...MEMBERS.map(ofMember)])
      await showAll(
        CLUSTERS.map(
          (name) =>
            `kubectl --context ${name} wait --for=condition=ready pod --all -n ${CONTROL_PLANE} --timeout=150s --output=name`,
        ),
      )
    },
  }
}

/** What the walkthrough of FSM makes in a member. */
const NAMESPACES = ['httpbin', 'curl']

/** Removes all that a walkthrough made; the clusters and Portolan stay. What is not there is fine. */
export async function clean(clusters: ClusterProvider, namespaces = NAMESPACES): Promise<void> {
  const kubectl = async (name: string, ...args: readonly string[]) => {
    const { code, stdout, stderr } = await clusters.kubectl(name, args)
    if (code !== 0) throw new Error(`${name}: kubectl ${args.join(' ')}: ${stderr || stdout}`)
    return stdout
  }
  const { env } = await setScene(clusters)
  await Promise.all(
    MEMBERS.map(async (name) => {
      // First, so that no hub brings back what is removed below.
      await run('portolan', ['cluster', 'leave', name, '--context', name, '--hub-context', HUB], { env })
      for (const namespace of namespaces) {
        // A namespace that goes waits for its pods' grace periods; without pods it is gone at once.
        const apps = await kubectl(name, '-n', namespace, 'get', 'deployments', '-o', 'name')
        if (apps !== '') await kubectl(name, '-n', namespace, 'scale', ...apps.trim().split('\n'), '--replicas=0')
        await kubectl(name, '-n', namespace, 'delete', 'pods', '--all', '--force', '--grace-period=0')
      }
      await kubectl(name, 'delete', 'namespace', ...namespaces, '--ignore-not-found')
    }),
  )
}
