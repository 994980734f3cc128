/** Every name that two rooms must agree on: groups, labels, annotations, object names, paths and ports. */

export const GROUP = 'flomesh.io'
export const VERSION = 'v1alpha1'
export const API_VERSION = `${GROUP}/${VERSION}`
export const CONFIG_GROUP = 'config.flomesh.io'
export const CONFIG_API_VERSION = `${CONFIG_GROUP}/${VERSION}`

/** Namespace label that makes a namespace part of the mesh; its value is the mesh's name. First spelling wins. */
export const MONITORED_BY = ['flomesh.io/monitored-by', 'openservicemesh.io/monitored-by'] as const
/** Pod or namespace annotation `enabled|disabled`. First spelling wins, pod over namespace. */
export const INJECTION = ['flomesh.io/sidecar-injection', 'openservicemesh.io/sidecar-injection'] as const
/** Pod annotations that extend MeshConfig's lists for one pod; each under both prefixes. */
export const ANNOTATION_PREFIXES = ['flomesh.io', 'openservicemesh.io'] as const
/** How calls of a pod reach its sidecar: the first unless something else is asked for. */
export const INTERCEPTIONS = ['iptables', 'explicit'] as const
export type Interception = (typeof INTERCEPTIONS)[number]
/** Written on an injected pod: JSON that says what was added, so that it can be taken out again. */
export const STATUS_ANNOTATION = 'flomesh.io/sidecar-status'
/** Bumped by the compiler so that the kubelet rewrites the pod's volumes at once. */
export const ROUTES_VERSION_ANNOTATION = 'flomesh.io/routes-version'
/** Namespace or pod annotation that narrows which imports a sidecar knows: `ns/name,ns/*`. */
export const IMPORTS_ANNOTATION = 'flomesh.io/imports'
/** Kubernetes' own API for services of several clusters (KEP-1645), and its labels on slices of endpoints. */
export const MCS_GROUP = 'multicluster.x-k8s.io'
/** The version that is stored; the other that is served has the same schema. */
export const MCS_VERSION = 'v1beta1'
export const MCS_SERVICE_NAME_LABEL = 'multicluster.kubernetes.io/service-name'
/** Its value is the name of the exporting cluster: the last part of its key. */
export const MCS_SOURCE_CLUSTER_LABEL = 'multicluster.kubernetes.io/source-cluster'
/** Group of ClusterProperty (KEP-2149), and the names of the two that it defines. */
export const ABOUT_GROUP = 'about.k8s.io'
/** As the project that defines it stores it. */
export const ABOUT_VERSION = 'v1beta1'
export const CLUSTER_ID_PROPERTY = 'cluster.clusterset.k8s.io'
export const CLUSTERSET_PROPERTY = 'clusterset.k8s.io'
/** Annotation of a Service that the compiler made for an import: the import, as ns/name. */
export const DERIVED_FROM_ANNOTATION = 'flomesh.io/derived-from'
/** Label on everything Portolan creates outside its chart. */
export const MANAGED_BY = { 'app.kubernetes.io/managed-by': 'portolan' } as const

export const INIT_CONTAINER = 'portolan-init'
export const PROXY_CONTAINER = 'portolan-proxy'
export const ROUTES_VOLUME = 'portolan-routes'
export const ROUTES_MOUNT = '/etc/portolan/routes'
/** Where a gateway pod has its ConfigMap. */
export const GATEWAY_MOUNT = '/etc/portolan/gateway'

/** Keys of it, where pods are that name their sidecar as a proxy: bootstraps of those without and with an identity, and what they have to know of names. */
export const EXPLICIT_BOOTSTRAP = 'explicit.json'
export const EXPLICIT_MTLS_BOOTSTRAP = 'explicit-mtls.json'
export const EXPLICIT_NAMES = 'names.json'
/** One per mesh namespace. Keys: table.json; bootstrap.json and cds.json, or MTLS_FILES and TLS_FILES with a file for each cluster; or both. */
export const ROUTES_CONFIGMAP = 'portolan-routes'
/** What proxies with an identity read in place of bootstrap.json and cds.json: a pod that was made without one cannot speak TLS. */
export const MTLS_BOOTSTRAP = 'bootstrap-mtls.json'
export const MTLS_CLUSTERS = 'cds-mtls.json'
/** Roots of the trust domains, and two files that tell proxies where their own certificate and these are. */
export const TLS_FILES = ['trust.json', 'sds-identity.json', 'sds-trust.json'] as const
/** In Portolan's own namespace. Keys: bootstraps by their form, cds.json, rds.json, table.json, and TLS_FILES. */
export const GATEWAY_CONFIGMAP = 'portolan-gateway'
/** In Portolan's own namespace. Keys: hosts, a file for CoreDNS's plugin of that name, and the two zones below. Its Service has the same name. */
export const DNS_CONFIGMAP = 'portolan-dns'
/** `clusterset.local` for pods with a sidecar, and for all others: files for CoreDNS's plugin `file`. */
export const SIDECARS_ZONE = 'sidecars.zone'
export const CLUSTER_ZONE = 'cluster.zone'
/** In Portolan's own namespace of each member, written by the hub. Keys: clusterKey, trustDomain, who the cluster is; hub, whose member. */
export const CLUSTER_CONFIGMAP = 'portolan-cluster'
/** In Portolan's own namespace, written by the identity server. Keys: trustDomain, bundle.json: this cluster's roots, without their keys. */
export const IDENTITY_CONFIGMAP = 'portolan-identity'
/** In Portolan's own namespace of each member, written by the hub. Keys: trust.json, clusters.json: whom the members' roots vouch for; held.json, awaited.json: how far its own have got. */
export const TRUST_CONFIGMAP = 'portolan-trust'
/** In Portolan's own namespace: this cluster's roots with their keys. It is read by the identity server alone. */
export const CA_SECRET = 'portolan-ca'
/**
 * One per mesh namespace, and in Portolan's own. Two keys for each service account there: see identityKeys. A name that is
 * always the same lets the identity server have rights to these Secrets and no others.
 */
export const IDENTITY_SECRET = 'portolan-identity'
/** Where a proxy has the certificate of its service account, as tls.crt and tls.key. */
export const IDENTITY_VOLUME = 'portolan-identity'
export const IDENTITY_MOUNT = '/etc/portolan/identity'
/** Service account of gateways, in Portolan's own namespace. */
export const GATEWAY_SERVICE_ACCOUNT = 'portolan-gateway'
/** A cluster's trust domain is its name, a dot and this, unless its chart says otherwise. */
export const DEFAULT_TRUST_DOMAIN = 'portolan.local'
/** Followed by the Cluster's name: Secret at the hub with what it remembers of a member. Keys: cluster.json, kubeconfig, exports.json.gz, roots.json. */
export const MEMBER_SECRET_PREFIX = 'portolan-member-'
/** Label of those Secrets. */
export const MEMBER_LABEL = { 'flomesh.io/member': 'true' } as const
/** The hub's own account: it owns what the hub remembers, which so goes with it. */
export const HUB_SERVICE_ACCOUNT = 'portolan-federation'

/** Where iptables sends what goes to the VIP range. */
export const CAPTURE_PORT = 15001
/** Where a sidecar is an HTTP proxy that applications are told of, on loopback only. */
export const EXPLICIT_PORT = 15080
/** Envoy's admin endpoint, on loopback only. */
export const ADMIN_PORT = 15000
/** Serves /ready and /stats of a sidecar or gateway, read-only, on the pod's address. */
export const METRICS_PORT = 15090
/** Service account of the proxies that call for pods without a sidecar, in Portolan's own namespace. */
export const EGRESS_SERVICE_ACCOUNT = 'portolan-egress'
/** In Portolan's own namespace: what these proxies read. Keys: bootstraps by their form, cds.json, lds.json, table.json, and TLS_FILES with a file for each cluster. */
export const EGRESS_CONFIGMAP = 'portolan-egress'
/** Service of these proxies, whose ready pods take the calls. */
export const EGRESS_SERVICE = 'portolan-egress'
/** Where the gateway listens for plain HTTP. */
export const GATEWAY_PORT = 8080

export const DEFAULT_VIP_RANGE = '240.240.0.0/16'
/** What a name resolves to that is imported but neither local nor routed: nothing listens there, so a call is refused. */
export const REFUSING_ADDRESS = '127.0.0.2'
export const DEFAULT_CLUSTER_DOMAIN = 'cluster.local'
export const CLUSTERSET_DOMAIN = 'clusterset.local'

/** Proxies run under a uid of [PROXY_UID_BASE, PROXY_UID_BASE + PROXY_UID_COUNT), chosen per pod: inotify instances are limited per uid. */
export const PROXY_UID_BASE = 15_000
export const PROXY_UID_COUNT = 1_000

export const FIELD_MANAGER = {
  webhook: 'portolan-webhook',
  compiler: 'portolan-compiler',
  federation: 'portolan-federation',
  certs: 'portolan-certs',
  identity: 'portolan-identity',
  cli: 'portolan-cli',
} as const
