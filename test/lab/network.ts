/** The lab's links: a bridge in a namespace of its own, one port for the host and one for each node. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CACHE, locked } from './cache.ts'
import type { LabPlan, NodePlan } from './plan.ts'
import { run, tryRun } from './run.ts'

const BRIDGE = 'bridge0'

function batch(lines: readonly string[], namespace?: string): Promise<string> {
  return run('ip', [...(namespace === undefined ? [] : ['-n', namespace]), '-batch', '-'], { input: lines.join('\n') })
}

export function namespaceExists(name: string): boolean {
  return existsSync(join('/run/netns', name))
}

/** Whether the kernel has the family at all. */
export function hasIpv6(): boolean {
  return existsSync('/proc/net/if_inet6')
}

/** Whether the lab's links are all there. */
export function isConnected(lab: LabPlan): boolean {
  return namespaceExists(lab.bridgeNamespace) && existsSync(`/sys/class/net/${lab.hostLink}`)
}

/** Whether anything of this machine has the lab's names, whoever made it. */
export function isTaken(lab: LabPlan): boolean {
  return namespaceExists(lab.bridgeNamespace) || existsSync(`/sys/class/net/${lab.hostLink}`)
}

export async function connectHost(lab: LabPlan): Promise<void> {
  await batch([
    `netns add ${lab.bridgeNamespace}`,
    `link add ${lab.hostLink} type veth peer name host netns ${lab.bridgeNamespace}`,
    `addr add ${lab.hostAddress}/24 dev ${lab.hostLink}`,
    ...(hasIpv6() ? [`addr add ${lab.hostAddress6}/64 dev ${lab.hostLink} nodad`] : []),
    `link set ${lab.hostLink} up`,
  ])
  await batch(
    ['link set lo up', `link add ${BRIDGE} type bridge`, `link set ${BRIDGE} up`, `link set host master ${BRIDGE} up`],
    lab.bridgeNamespace,
  )
  await raiseInotifyLimit()
}

export async function connectNode(lab: LabPlan, node: NodePlan): Promise<void> {
  await batch([
    `netns add ${node.namespace}`,
    `link add ${node.link} netns ${lab.bridgeNamespace} type veth peer name eth0 netns ${node.namespace}`,
  ])
  await batch([`link set ${node.link} master ${BRIDGE} up`], lab.bridgeNamespace)
  await batch(
    [
      `link set eth0 address ${node.hardware}`,
      ...node.addresses.map((address) =>
        address.includes(':') ? `addr add ${address}/64 dev eth0 nodad` : `addr add ${address}/24 dev eth0`,
      ),
      'link set eth0 up',
    ],
    node.namespace,
  )
}

/** Each node's pods are routed by the others' nodes of the same cluster. */
export async function routePods(node: NodePlan, others: readonly NodePlan[]): Promise<void> {
  if (others.length > 0)
    await batch(
      others.flatMap(({ podCidrs, addresses }) =>
        podCidrs.map((cidr, family) => `route replace ${cidr} via ${addresses[family]}`),
      ),
      node.namespace,
    )
}

/** Down = the node is cut off from every other and from the host; its own pods still reach each other. */
export async function setLink(lab: LabPlan, node: NodePlan, state: 'up' | 'down'): Promise<void> {
  await batch([`link set ${node.link} ${state}`], lab.bridgeNamespace)
}

/** Names of what is not there are fine. */
export async function disconnectNode(lab: LabPlan, node: NodePlan): Promise<void> {
  if (namespaceExists(lab.bridgeNamespace)) await tryRun('ip', ['-n', lab.bridgeNamespace, 'link', 'del', node.link])
  if (namespaceExists(node.namespace)) await tryRun('ip', ['netns', 'del', node.namespace])
}

/** Removes every link and namespace of the lab, the nodes' too. */
export async function disconnectLab(lab: LabPlan): Promise<void> {
  for (const name of namespaces(new RegExp(`^${lab.prefix}-`))) await tryRun('ip', ['netns', 'del', name])
  if (existsSync(`/sys/class/net/${lab.hostLink}`)) await tryRun('ip', ['link', 'del', lab.hostLink])
  await restoreInotifyLimit()
}

/** Named network namespaces of this machine. */
export function namespaces(pattern: RegExp): readonly string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns').filter((name) => pattern.test(name)) : []
}

const INOTIFY = '/proc/sys/fs/inotify/max_user_instances'
const ENOUGH = 8192
const remembered = join(CACHE, 'inotify-before')

/** The one setting of the whole machine that must change: the usual 128 are too few for two kubelets and their pods. */
function raiseInotifyLimit(): Promise<void> {
  return locked(`${remembered}.lock`, async () => {
    const now = Number(readFileSync(INOTIFY, 'utf8'))
    if (now >= ENOUGH) return
    writeFileSync(remembered, String(now))
    writeFileSync(INOTIFY, String(ENOUGH))
  })
}

/** Put back by the last lab that goes. */
function restoreInotifyLimit(): Promise<void> {
  return locked(`${remembered}.lock`, async () => {
    if (!existsSync(remembered) || namespaces(/^ptl\d*-/).length > 0) return
    writeFileSync(INOTIFY, readFileSync(remembered))
    await run('rm', ['-f', remembered])
  })
}
