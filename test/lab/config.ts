/** The files a node's daemons read, as text: a pure function of the plan and of where the tools lie. */
import { join } from 'node:path'
import { stringify } from 'yaml'
import { API_PORT, type ClusterPlan, type NodePlan } from './plan.ts'
import { HUB } from './registry.ts'

export interface Tools {
  /** Directory of Kubernetes' and etcd's binaries. */
  readonly bin: string
  /** Unpacked root of containerd, runc and the CNI plugins. */
  readonly root: string
  /** Environment under which the latter run. */
  readonly env: Readonly<Record<string, string>>
  readonly pauseImage: string
  /** Node, for daemons of our own. */
  readonly node: string
}

/** Of the registry, on the node's loopback address alone. */
const REGISTRY_PORT = 5000
/** Where a node keeps what its registry serves, below the node's directory. */
export const REGISTRY_STORE = 'var/registry'

/** Path below the node's directory → content. Files under daemons/ are scripts. */
export function nodeFiles(cluster: ClusterPlan, node: NodePlan, tools: Tools): ReadonlyMap<string, string> {
  const controlPlane = node === cluster.nodes[0]
  const script = (argv: readonly string[]) =>
    [
      '#!/bin/sh',
      ...Object.entries(tools.env).map(([key, value]) => `export ${key}=${quote(value)}`),
      `exec ${argv.map(quote).join(' ')}`,
      '',
    ].join('\n')
  const scripts = (when: 'first' | 'then', daemons: Readonly<Record<string, readonly string[]>>) =>
    Object.entries(daemons).map(([name, argv]): [string, string] => [`daemons/${when}/${name}`, script(argv)])
  return new Map([
    ['containerd.toml', containerdToml(node, tools)],
    [`registries/${HUB}/hosts.toml`, hostsToml()],
    ['cni/10-lab.conflist', JSON.stringify(cniConfig(node), null, 2)],
    ['kubelet.yaml', stringify(kubeletConfig(cluster, node))],
    ['proxy.yaml', stringify(proxyConfig(cluster, node))],
    ['resolv.conf', `nameserver ${cluster.dnsAddress}\n`],
    ...scripts('first', {
      containerd: [join(tools.root, 'usr/bin/containerd'), '--config', join(node.dir, 'containerd.toml')],
      registry: registry(node, tools),
    }),
    ...(controlPlane
      ? scripts('first', { etcd: etcd(cluster, tools), 'kube-apiserver': apiServer(cluster, tools) })
      : []),
    ...(controlPlane
      ? scripts('then', {
          'kube-controller-manager': controllers(cluster, tools),
          'kube-scheduler': scheduler(cluster, tools),
        })
      : []),
    ...scripts('then', { kubelet: kubelet(cluster, node, tools), 'kube-proxy': proxy(node, tools) }),
  ])
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** { 'some-flag': value } → --some-flag=value */
function flags(values: Readonly<Record<string, string | number | boolean>>): readonly string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`)
}

function registry(node: NodePlan, tools: Tools): readonly string[] {
  const program = join(import.meta.dirname, 'registry.ts')
  return [tools.node, program, join(node.dir, REGISTRY_STORE), String(REGISTRY_PORT)]
}

function etcd(cluster: ClusterPlan, { bin }: Tools): readonly string[] {
  return [
    join(bin, 'etcd'),
    ...flags({
      name: cluster.name,
      'data-dir': join(cluster.nodes[0].dir, 'var/etcd'),
      'listen-client-urls': 'http://127.0.0.1:2379',
      'advertise-client-urls': 'http://127.0.0.1:2379',
      'listen-peer-urls': 'http://127.0.0.1:2380',
      'unsafe-no-fsync': true, // a lab that loses power is made anew
      'log-level': 'warn',
    }),
  ]
}

function apiServer(cluster: ClusterPlan, { bin }: Tools): readonly string[] {
  const pki = (file: string) => join(cluster.pki, file)
  return [
    join(bin, 'kube-apiserver'),
    ...flags({
      'etcd-servers': 'http://127.0.0.1:2379',
      'advertise-address': cluster.nodes[0].address,
      'bind-address': cluster.families.includes(6) ? '::' : '0.0.0.0',
      'secure-port': API_PORT,
      'service-cluster-ip-range': cluster.serviceCidrs.join(','),
      'authorization-mode': 'Node,RBAC',
      'enable-admission-plugins': 'NodeRestriction',
      'allow-privileged': true,
      profiling: false,
      'client-ca-file': pki('ca.crt'),
      'tls-cert-file': pki('apiserver.crt'),
      'tls-private-key-file': pki('apiserver.key'),
      'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
      'service-account-key-file': pki('service-accounts.pub'),
      'service-account-signing-key-file': pki('service-accounts.key'),
      'kubelet-preferred-address-types': 'InternalIP',
      'kubelet-certificate-authority': pki('ca.crt'),
      'kubelet-client-certificate': pki('apiserver-kubelet.crt'),
      'kubelet-client-key': pki('apiserver-kubelet.key'),
      'requestheader-client-ca-file': pki('front-proxy-ca.crt'),
      'requestheader-allowed-names': 'front-proxy',
      'requestheader-username-headers': 'X-Remote-User',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'proxy-client-cert-file': pki('front-proxy.crt'),
      'proxy-client-key-file': pki('front-proxy.key'),
    }),
  ]
}

function client(cluster: ClusterPlan, name: string): Readonly<Record<string, string>> {
  const file = join(cluster.pki, `${name}.kubeconfig`)
  return { kubeconfig: file, 'authentication-kubeconfig': file, 'authorization-kubeconfig': file }
}

function controllers(cluster: ClusterPlan, { bin }: Tools): readonly string[] {
  return [
    join(bin, 'kube-controller-manager'),
    ...flags({
      ...client(cluster, 'controllers'),
      'kube-api-qps': 500, // at the default of 20 its start alone takes 5 s
      'kube-api-burst': 1000,
      'root-ca-file': join(cluster.pki, 'ca.crt'),
      'service-account-private-key-file': join(cluster.pki, 'service-accounts.key'),
      'use-service-account-credentials': true,
      'cluster-signing-cert-file': join(cluster.pki, 'ca.crt'),
      'cluster-signing-key-file': join(cluster.pki, 'ca.key'),
      'leader-elect': false,
      'bind-address': '127.0.0.1',
      profiling: false,
    }),
  ]
}

function scheduler(cluster: ClusterPlan, { bin }: Tools): readonly string[] {
  const own = { 'leader-elect': false, 'bind-address': '127.0.0.1', profiling: false }
  return [join(bin, 'kube-scheduler'), ...flags({ ...client(cluster, 'scheduler'), ...own })]
}

function kubelet(cluster: ClusterPlan, node: NodePlan, { bin }: Tools): readonly string[] {
  return [
    join(bin, 'kubelet'),
    ...flags({
      config: join(node.dir, 'kubelet.yaml'),
      kubeconfig: join(cluster.pki, `kubelet-${node.name}.kubeconfig`),
      'hostname-override': node.name,
      'node-ip': node.addresses.join(','),
      v: 1,
    }),
  ]
}

function proxy(node: NodePlan, { bin }: Tools): readonly string[] {
  return [join(bin, 'kube-proxy'), ...flags({ config: join(node.dir, 'proxy.yaml') })]
}

function kubeletConfig(cluster: ClusterPlan, node: NodePlan) {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    failCgroupV1: false, // since 1.35 it refuses version 1 unless told otherwise
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${node.cgroup}`, // keeps kubelets from removing each other's pods' groups
    containerRuntimeEndpoint: 'unix:///run/containerd/containerd.sock',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: join(cluster.pki, 'ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: join(cluster.pki, `kubelet-server-${node.name}.crt`),
    tlsPrivateKeyFile: join(cluster.pki, `kubelet-server-${node.name}.key`),
    clusterDNS: [cluster.dnsAddress],
    clusterDomain: 'cluster.local',
    resolvConf: join(node.dir, 'resolv.conf'),
    failSwapOn: false,
    serializeImagePulls: false,
    syncFrequency: cluster.sync,
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      'memory.available': '0%',
      'nodefs.available': '0%',
      'imagefs.available': '0%',
      'nodefs.inodesFree': '0%',
    },
    shutdownGracePeriod: '0s',
    volumeStatsAggPeriod: '0s',
    registryPullQPS: 0,
    eventRecordQPS: 0,
    maxPods: 200,
    oomScoreAdj: 0, // lower needs CAP_SYS_RESOURCE, which virtual machines may lack
  }
}

function proxyConfig(cluster: ClusterPlan, node: NodePlan) {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clusterCIDR: cluster.clusterCidrs.join(','),
    hostnameOverride: node.name,
    clientConnection: { kubeconfig: join(cluster.pki, 'proxy.kubeconfig') },
    conntrack: { maxPerCore: 0 }, // else it writes a sysctl of the whole machine
    oomScoreAdj: 0,
    iptables: { minSyncPeriod: '100ms', syncPeriod: '30s' },
  }
}

function cniConfig(node: NodePlan) {
  return {
    cniVersion: '1.0.0',
    name: 'lab',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        ipMasq: true,
        hairpinMode: true, // a pod may call its own Service
        ipam: {
          type: 'host-local',
          dataDir: '/run/cni-ipam',
          ranges: node.podCidrs.map((subnet) => [{ subnet }]),
          routes: node.podCidrs.map((subnet) => ({ dst: subnet.includes(':') ? '::/0' : '0.0.0.0/0' })),
        },
      },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    ],
  }
}

function containerdToml(node: NodePlan, { root, pauseImage }: Tools): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"'
  const unused = [
    'snapshotter.v1.aufs',
    'snapshotter.v1.btrfs',
    'snapshotter.v1.zfs',
    'snapshotter.v1.devmapper',
    'internal.v1.opt',
    'tracing.processor.v1.otlp',
  ]
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = ${JSON.stringify(unused.map((name) => `io.containerd.${name}`))}

[grpc]
address = "/run/containerd/containerd.sock"

[${cri}]
sandbox_image = "${pauseImage}"
disable_apparmor = true
# Without CAP_SYS_RESOURCE runc cannot lower oom_score_adj and fails every pod with a message about something else.
restrict_oom_score_adj = true

[${cri}.cni]
bin_dir = "${root}/usr/lib/cni"
conf_dir = "${node.dir}/cni"

[${cri}.registry]
config_path = "${node.dir}/registries"

[${cri}.containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"

[${cri}.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[${cri}.containerd.runtimes.runc.options]
SystemdCgroup = false
BinaryName = "${root}/usr/sbin/runc"
`
}

/** As `server` too, which is asked last: what this registry lacks is not looked for elsewhere. */
function hostsToml(): string {
  const url = `http://127.0.0.1:${REGISTRY_PORT}`
  return `server = "${url}"\n[host."${url}"]\ncapabilities = ["pull", "resolve"]\n`
}
