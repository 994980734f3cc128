/** What `./demo dapr -i` sets up: Portolan, Dapr and Redis, in the published order and with the published settings. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { loadImages } from '../../e2e/mesh.ts'
import { daprChart } from '../../lab/dapr.ts'
import { IMAGE } from '../../lab/images.ts'
import type { LabPlan } from '../../lab/plan.ts'
import type { ClusterProvider } from '../../lab/provider.ts'
import { redis, startRedis } from '../../lab/redis.ts'
import { labDirectory, loadLab } from '../../lab/state.ts'
import { CLUSTERS, file, MEMBERS } from '../clusters.ts'
import { clean, installing } from '../install.ts'
import type { Chapter } from '../printed.ts'

const read = (name: string) => readFileSync(join(import.meta.dirname, 'printed', name), 'utf8')

/** The lab that is up: Redis listens on its address. */
export function lab(): LabPlan {
  const found = loadLab(labDirectory())
  if (found === null) throw new Error('no lab is up: ./demo dapr -i makes the clusters')
  return found
}

/** The published command of Redis, as its arguments; the password is one of them. */
const REDIS_ARGS = (parse(read('redis-compose.yaml')).services.redis.command as string).split(' ').slice(1)
export const PASSWORD = REDIS_ARGS[REDIS_ARGS.indexOf('--requirepass') + 1] ?? ''

/** One of the published patches of the MeshConfig, as printed. */
const patched = (name: string) =>
  MEMBERS.map(
    (member) =>
      `kubectl --context ${member} patch meshconfig osm-mesh-config -n osm-system -p '${read(name).trim()}'  --type=merge`,
  )

const direct: Chapter = {
  title: 'Pods reach the API server directly',
  async run({ show, showAll }) {
    await show('kubectl --context cluster-1 get svc -n default', { output: /kubernetes +ClusterIP +10\.43\.0\.1 / })
    await showAll(patched('api-server.json'), { output: /patched/ })
  },
}

const installDapr: Chapter = {
  title: 'Dapr in cluster-1, cluster-2 and cluster-3, without its own mTLS',
  async run({ show, showAll }) {
    const chart = await daprChart()
    await showAll(
      MEMBERS.map(
        (name) =>
          `helm --kube-context ${name} upgrade --install dapr ${chart} --namespace dapr-system --create-namespace --wait --timeout=120s --force-conflicts -f ${file('dapr/dapr.yaml')}`,
      ),
    )
    await show('kubectl --context cluster-2 get pods -n dapr-system')
    await show('kubectl --context cluster-2 get svc -n dapr-system', { output: /dapr-sidecar-injector/ })
    await showAll(patched('ports.json'), { output: /patched/ })
    await show(
      `kubectl --context cluster-2 get meshconfig osm-mesh-config -n osm-system -o jsonpath='{.spec.traffic}'`,
      {
        problem: (output) =>
          output.includes('"outboundIPRangeExclusionList":["10.43.0.1/32"]') &&
          output.includes('"outboundPortExclusionList":[50005,8201,6379]')
            ? null
            : 'not both patches',
      },
    )
  },
}

const outside: Chapter = {
  title: 'Redis beside the clusters',
  async run({ say }) {
    await startRedis(lab(), PASSWORD, REDIS_ARGS)
    const version = (await redis(lab(), PASSWORD, 'info', 'server')).match(/redis_version:(\S+)/)?.[1]
    say(`Redis ${version} listens on ${lab().hostAddress}:6379 and wants a password.`)
  },
}

export const INSTALLING: readonly Chapter[] = [
  installing(
    [file('dapr/portolan.yaml')],
    CLUSTERS.map(
      (name) =>
        `kubectl --context ${name} create namespace osm-system --dry-run=client -o yaml | kubectl --context ${name} apply -f -`,
    ),
  ),
  direct,
  installDapr,
  outside,
]

/** Gives the members what the walkthrough pulls from elsewhere. */
export async function loadDapr(clusters: ClusterProvider): Promise<void> {
  await loadImages(clusters, MEMBERS, [IMAGE.dapr])
}

/** Removes what the walkthrough made; clusters, Portolan, Dapr and Redis stay. */
export async function cleanDapr(clusters: ClusterProvider): Promise<void> {
  await clean(clusters, ['dapr-test', 'curl'])
  await redis(lab(), PASSWORD, 'flushall')
}
