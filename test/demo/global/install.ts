/** What `./demo global -i` sets up: two clusters, Portolan in each, and no third. */
import { CONTROL_PLANE, loadImages } from '../../e2e/mesh.ts'
import { IMAGE } from '../../lab/images.ts'
import type { ClusterProvider } from '../../lab/provider.ts'
import { run, tryRun } from '../../lab/run.ts'
import { file, setScene } from '../clusters.ts'
import type { Chapter } from '../printed.ts'

export const PAIR = ['cluster01', 'cluster02'] as const
export type OfPair = (typeof PAIR)[number]
/** Where gateways listen on their clusters' addresses. */
const PORT = 81

const install = (name: OfPair, hub: string) =>
  `portolan install --context ${name} --cluster-name ${name} ${hub} --gateway-host-port ${PORT} -f ${file('values.yaml')}`

export const INSTALLING: readonly Chapter[] = [
  {
    title: 'Two clusters, Portolan in each; the first is the hub as well',
    async run({ show, showAll }) {
      await show(`for NAME in ${PAIR.join(' ')}; do kubectl --context $NAME get nodes --no-headers; done`)
      await showAll([install('cluster01', '--hub'), install('cluster02', '--no-hub')])
      await showAll(
        PAIR.map(
          (name) =>
            `kubectl --context ${name} wait --for=condition=ready pod --all -n ${CONTROL_PLANE} --timeout=150s --output=name`,
        ),
      )
    },
  },
]

/** Gives both clusters the images that the printed manifests name. */
export async function loadGlobal(clusters: ClusterProvider): Promise<void> {
  await loadImages(clusters, PAIR, [IMAGE.nginx, IMAGE.jsonMock])
}

/** Removes what the walkthrough made; clusters and Portolan stay. What is not there is fine. */
export async function cleanGlobal(clusters: ClusterProvider): Promise<void> {
  const { env } = await setScene(clusters, PAIR)
  for (const name of PAIR.toReversed())
    await run('portolan', ['cluster', 'leave', name, '--context', name, '--hub-context', PAIR[0]], { env })
  await Promise.all(
    PAIR.map(async (name) => {
      await clusters.kubectl(name, [
        ...['-n', 'default', 'delete', 'deploy/rebel-base', 'deploy/x-wing'],
        ...['service/rebel-base', 'configmap/rebel-base-response', '--ignore-not-found'],
      ])
      await clusters.kubectl(name, ['-n', 'default', 'delete', 'pods', '--all', '--force', '--grace-period=0'])
      await tryRun('portolan', ['namespace', 'remove', 'default', '--context', name], { env })
    }),
  )
}
