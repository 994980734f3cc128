import type { Code } from '../api/diagnostics.ts'
import type { Issue, ObjectRef } from '../api/issue.ts'
import type { Condition } from '../api/meta.ts'
import type { LoadBalancer } from '../api/service-export.ts'
import type { WantedObject } from './objects.ts'

/** The neutral routing tables: what a compilation decides, before any proxy's syntax. Sorted, total, plain data. */
export interface Tables {
  /** The cluster compiled for. */
  readonly cluster: { readonly key: string; readonly domain: string }
  /** One per mesh namespace, sorted by it. */
  readonly sidecars: readonly SidecarTable[]
  readonly gateway: GatewayTable
  /** Absent where there is no egress. */
  readonly egress?: EgressTable
  /** What sidecars capture, by name. Sorted by name; fully qualified, without a final dot. */
  readonly dns: readonly DnsRecord[]
  /** What is known in `clusterset.local`. Sorted by namespace, name. */
  readonly clusterset: readonly ClustersetName[]
  /** Addresses for `ServiceImport.spec.ips`; lists every import, changed or not. */
  readonly vips: readonly VipAssignment[]
  /** Whole objects of ours. Sorted by kind, namespace, name. */
  readonly objects: readonly WantedObject[]
  /** Status conditions as they should be, without lastTransitionTime. */
  readonly statuses: readonly ObjectStatus[]
  readonly issues: readonly Issue[]
}

/** Another cluster, as far as calls to its gateways go. */
export interface Peer {
  /** Whose roots vouch for it. */
  readonly trustDomain: string
  /** SPIFFE id of its gateways. */
  readonly gateway: string
}

/** Whom the proxies of this cluster believe, and what they call themselves. */
export interface Trust {
  readonly trustDomain: string
  /** Roots of all members by trust domain: a SPIFFE bundle map, as proxies read it. */
  readonly bundle: string
  /** By clusterKey, this cluster's own among them. One that is not here has no identity. */
  readonly clusters: Readonly<Record<string, Peer>>
}

export interface SidecarTable {
  readonly namespace: string
  /** Content hash of routes and trust. */
  readonly version: string
  /** Proxies listen on IPv6 too. */
  readonly ipv6?: true
  /** Absent: proxies have no identity, and call in plain HTTP. */
  readonly trust?: Trust
  /** The addresses whose connections are taken as streams, whatever they carry. A part of the VIP range. */
  readonly tcpRange: string
  /** Sorted by service, port. */
  readonly routes: readonly ServiceRoute[]
  /** Present where sidecars may be asked by name instead of capturing calls. */
  readonly names?: ImportNames
}

export interface ImportNames {
  /** DNS suffix of cluster-local names. */
  readonly domain: string
  /** Sorted by service. */
  readonly imports: readonly ImportName[]
}

/** An import as callers write it. */
export interface ImportName {
  /** namespace/name */
  readonly service: string
  readonly vip?: string
  /** Where `name.namespace` leads: through the proxy, to the Service of this cluster, or nowhere. */
  readonly plain: 'routed' | 'local' | 'refused'
}

/** One port of one routed service: where a call to vip:port goes, or of a stream: a connection. */
export interface ServiceRoute {
  /** namespace/name */
  readonly service: string
  readonly vip: string
  readonly port: number
  readonly policy: 'Locality' | 'FailOver' | 'ActiveActive'
  /** Who decides in the absence of a policy: annotations of the own Service, or that others export it by the standard. Absent = a policy, or that there is none. */
  readonly decided?: 'GlobalService' | 'ClusterSet'
  /** Whose pods come first, where annotations decide and say so. */
  readonly affinity?: 'local' | 'remote'
  /** Only the clusterset's name leads here: the plain one is the cluster's own business. */
  readonly acrossOnly?: true
  /** Not HTTP: whole connections are routed. Other clusters' backends have mutual TLS. */
  readonly tcp?: true
  /** HTTP at an address of `tcpRange`, as another port of the service is none. */
  readonly amongTcp?: true
  /** Calls of one session go to the same endpoint; absent = spread one by one. */
  readonly sticky?: true
  /** Tried in order of priority; within one priority shared by weight. Sorted by priority, then local first, then clusterKey. None = 503, or a connection that is closed. */
  readonly backends: readonly Backend[]
}

export interface Backend {
  readonly clusterKey: string
  readonly local: boolean
  /** 0, 1, …, without a gap. */
  readonly priority: number
  /** > 0: a drained target is not a backend. */
  readonly weight: number
  /** At least one, sorted. They share the backend's weight equally. */
  readonly endpoints: readonly { readonly host: string; readonly port: number }[]
  /** The Service's own address, where the endpoints are its pods: for pods that the table does not know yet. */
  readonly fallback?: { readonly host: string; readonly port: number }
  /** Put in front of the caller's path; no slash at its end. Empty for the local Service. */
  readonly pathPrefix: string
  /** Service accounts, `namespace/name`, of this cluster's pods that may call it; sorted. Absent = all. */
  readonly callers?: readonly string[]
  /** Called with mutual TLS, and nobody but this is taken for its gateway. Absent: in plain HTTP. */
  readonly tls?: Peer
}

export interface GatewayTable {
  /** Content hash of routes and trust. */
  readonly version: string
  /** Proxies listen on IPv6 too. */
  readonly ipv6?: true
  /** Absent: gateways take plain HTTP alone. */
  readonly trust?: Trust
  /** Most specific first: Exact before Prefix, longer before shorter. */
  readonly routes: readonly GatewayRoute[]
  /** Ports that are not HTTP. Sorted by service, port. */
  readonly tcp: readonly GatewayTcp[]
}

/** What the proxies do that call for pods without a sidecar: as sidecars do, at ports of their own. */
export interface EgressTable {
  /** Content hash of routes, listeners and trust. */
  readonly version: string
  /** Proxies listen on IPv6 too. */
  readonly ipv6?: true
  /** Absent: proxies have no identity, and call in plain HTTP. */
  readonly trust?: Trust
  /** Those of imports that pods without a sidecar may call. Sorted by service, port. */
  readonly routes: readonly ServiceRoute[]
  /** Where calls for each of the routes come in; in the same order. */
  readonly listeners: readonly EgressListener[]
}

export interface EgressListener {
  /** Port of the egress' pods. It stays with the service and port. */
  readonly at: number
  /** namespace/name */
  readonly service: string
  readonly port: number
  /** Whole connections are routed. */
  readonly tcp?: true
}

/** One port whose connections a gateway passes on. */
export interface GatewayTcp {
  /** namespace/name */
  readonly service: string
  readonly port: number
  /** What clients name in their TLS handshake to get there. */
  readonly sni: string
  /** Who may connect, of those with an identity; absent = anybody with one. */
  readonly clients?: readonly Client[]
  /** Ready pods, sorted. None: whoever asks for it is refused in the handshake, so that it goes elsewhere. */
  readonly endpoints: readonly { readonly host: string; readonly port: number }[]
  /** The Service's own address, where it has one. */
  readonly fallback?: { readonly host: string; readonly port: number }
}

export interface GatewayRoute {
  /** namespace/name */
  readonly service: string
  readonly port: number
  /** As the gateway sees it; no slash at its end except for `/` itself. */
  readonly path: string
  readonly pathType: 'Prefix' | 'Exact'
  /** RE2; absent = the matched prefix is stripped. */
  readonly rewrite?: { readonly from: string; readonly to: string }
  /** How calls are spread over the pods; absent = in turn. */
  readonly loadBalancer?: Exclude<LoadBalancer, 'RoundRobinLoadBalancer'>
  /** Cookie that keeps calls of one session with one pod; absent = none. */
  readonly sessionCookie?: string
  /** How many requests each gateway pod lets through at the path; absent = all. */
  readonly rateLimit?: { readonly requests: number; readonly seconds: number }
  /** Ready pods, sorted. The Service's own address stands in while a change of pods is under way. */
  readonly endpoints: readonly { readonly host: string; readonly port: number }[]
  readonly fallback?: { readonly host: string; readonly port: number }
  /** Who may call, each known by certificate; none = nobody. Absent = everybody, with a certificate or without. */
  readonly clients?: readonly Client[]
  /** The application speaks HTTP/2 without TLS and nothing else; otherwise it gets what the caller speaks. */
  readonly http2: boolean
  /** No export asks for the route any more: it is served until then, for callers who have not heard. RFC 3339. */
  readonly until?: string
}

/** Callers whose identity is `spiffe://<trustDomain>/ns/<namespace>/sa/<serviceAccount>`. Each is an RE2 expression for the whole of its part, which a comma never is. */
export interface Client {
  readonly trustDomain: string
  readonly namespace: string
  readonly serviceAccount: string
  /** Of each list one has to hold for a call. Absent = any call. */
  readonly rules?: readonly (readonly HttpRule[])[]
}

/** A kind of calls: all that is said of it has to hold. */
export interface HttpRule {
  readonly methods?: readonly string[]
  /** RE2 for the whole path that the application sees, without the query. */
  readonly path?: string
  /** Name → RE2 for the whole value; sorted by name. */
  readonly headers?: Readonly<Record<string, string>>
}

/** A route that is to be served on for a while although no export asks for it. */
export type LingeringRoute = GatewayRoute & Required<Pick<GatewayRoute, 'until'>>

export interface DnsRecord {
  readonly name: string
  readonly address: string
}

/** A service of the clusterset as DNS knows it: `name.namespace.svc.clusterset.local`. */
export interface ClustersetName {
  readonly namespace: string
  readonly name: string
  /** Sorted by port, protocol. */
  readonly ports: readonly ClustersetPort[]
  /** What pods with a sidecar get: at most one. */
  readonly captured: readonly string[]
  /** What everybody else gets; none = no such name for them. */
  readonly direct: readonly string[]
  /** Of a headless service, ready ones alone: everybody gets them in place of addresses. Sorted by cluster, host. */
  readonly pods?: readonly ClustersetPod[]
}

export interface ClustersetPort {
  /** A DNS label; absent = nobody asks for it by name. */
  readonly name?: string
  readonly port: number
  /** In lower case. */
  readonly protocol: string
}

export interface ClustersetPod {
  /** What it is called before its cluster's name: hostname, or address with dashes. Absent = too long for a name. */
  readonly host?: string
  readonly cluster: string
  readonly address: string
  /** Where it listens itself. */
  readonly ports: readonly ClustersetPort[]
}

export interface VipAssignment {
  readonly namespace: string
  readonly name: string
  /** One address, or none when the range is used up. */
  readonly ips: readonly string[]
}

export interface ObjectStatus {
  readonly object: ObjectRef
  readonly generation: number
  readonly conditions: readonly Omit<Condition, 'lastTransitionTime'>[]
  /** The rest of the status, by kind. */
  readonly extra?: Readonly<Record<string, unknown>>
  /** What messages of conditions say beside their reason, where that is news of its own; written nowhere. */
  readonly remarks?: readonly Issue<Code>[]
}
