import type { Diagnostic } from '../issue.ts'

/** What `portolan check` finds wrong with an installation. */
export const INSPECTION = {
  CheckImpossible: {
    level: 'warning',
    sentence: 'this could not be looked at: {why}',
    fix: 'Ask for the permission, or have somebody look who has it',
  },
  KubernetesTooOld: {
    level: 'error',
    sentence: 'the cluster runs Kubernetes {version}, and sidecars need {least}',
    fix: 'Upgrade the cluster',
  },
  DefinitionMissing: {
    level: 'error',
    sentence: 'the cluster does not serve this kind, so nobody can say what it is for',
    fix: 'Run `portolan install`, or apply the CRDs of the chart',
  },
  DefinitionOutdated: {
    level: 'warning',
    sentence: 'the definition is of another version than this command: it lacks {missing}',
    fix: 'Upgrade Portolan in the cluster, or use the command of its version',
  },
  DefinitionOfOthersReadOnly: {
    level: 'warning',
    sentence:
      'the definition, which something else than Portolan has installed, serves no {version}: what is exported is served and imported by other clusters, and its conditions say nothing of that',
    fix: 'Upgrade what has installed it, or delete it with all its objects: `portolan install` then brings its own',
  },
  DefinitionOfOthersOutdated: {
    level: 'warning',
    sentence:
      'the definition, which something else than Portolan has installed, serves no {version}, so objects of this kind have no effect',
    fix: 'Upgrade what has installed it, or delete it with all its objects: `portolan install` then brings its own',
  },
  ComponentMissing: {
    level: 'error',
    sentence: 'there is no such Deployment, although the chart has it',
    fix: 'Run `portolan install` again',
  },
  ComponentOff: {
    level: 'error',
    sentence: 'it is scaled to no pods at all',
    fix: 'Scale it up, or run `portolan install` again',
  },
  ComponentDown: {
    level: 'error',
    sentence: 'none of {wanted} pods is ready',
    fix: 'Look at the events and logs of its pods',
  },
  ComponentDegraded: {
    level: 'warning',
    sentence: '{ready} of {wanted} pods are ready',
    fix: 'Look at the events and logs of the others',
  },
  WebhookNotRegistered: {
    level: 'error',
    sentence: 'the API server does not ask the webhook, so nothing is validated and no pod gets a sidecar',
    fix: 'Run `portolan install` again',
  },
  WebhookNotTrusted: {
    level: 'error',
    sentence: 'webhook {webhook} has no certificate authority to be trusted by, so the API server cannot ask it',
    fix: 'Look at the log of portolan-webhook, which writes it when it starts',
  },
  WebhookTrustExpired: {
    level: 'error',
    sentence: 'the certificate authority of webhook {webhook} expired at {at}, so the API server cannot ask it',
    fix: 'Look at the log of portolan-webhook, which renews it in time',
  },
  WebhookTrustExpires: {
    level: 'warning',
    sentence: 'the certificate authority of webhook {webhook} expires at {at}, and should have been renewed by now',
    fix: 'Look at the log of portolan-webhook, which renews it',
  },
  WebhookSilent: {
    level: 'error',
    sentence: 'the API server gets no answer from the webhook: {why}',
    fix: 'See whether portolan-webhook is ready, and whether the control plane can reach it; on some providers a firewall must let it',
  },
  NobodyLeads: {
    level: 'error',
    sentence: 'no replica leads: {why}',
    fix: 'Look whether its pods are ready, and at their log',
  },
  DnsServiceMissing: {
    level: 'error',
    sentence: 'the Service of mesh DNS is not there, so pods with sidecars resolve no name at all',
    fix: 'Run `portolan install` again with the address that pods have in their dnsConfig (chart value dns.clusterIP)',
  },
  NamesNotForwarded: {
    level: 'warning',
    sentence:
      'pods without a sidecar do not resolve names of clusterset.local: this should hand them to {address}, and {why}',
    fix: 'Run `portolan dns enable`; where DNS has its configuration elsewhere, name the place, or have it forward them by its own means',
  },
  MeshConfigMissing: {
    level: 'warning',
    sentence: 'the MeshConfig that counts is not there, so its defaults are in force',
    fix: 'Create it, or run `portolan install` again',
  },
  NamespaceWithoutInjection: {
    level: 'warning',
    sentence: 'the namespace is part of the mesh, but neither it nor a pod in it asks for sidecars',
    fix: 'Run `portolan namespace add` for it, or annotate it: flomesh.io/sidecar-injection=enabled',
  },
  TableMissing: {
    level: 'error',
    sentence: 'the table is not there, so pods that read it cannot start',
    fix: 'Look at the log of portolan-compiler',
  },
  TableOutdated: {
    level: 'warning',
    sentence: 'the table is not what compiling gives now',
    fix: 'Check again; if it stays so, look at the log of portolan-compiler',
  },
  CredentialsExpired: {
    level: 'error',
    sentence: 'the credentials of the kubeconfig expired at {at}',
    fix: 'Run `portolan cluster join` again, or put a fresh kubeconfig where the Cluster points to',
  },
  ClusterUnnamed: {
    level: 'warning',
    sentence: 'the cluster goes by {key}, as any cluster does that nobody gave a name',
    fix: 'Have it join a hub with `portolan cluster join`, or set chart value cluster.name',
  },
  IdentityAbsent: {
    level: 'warning',
    sentence:
      'there is no identity yet, so new pods wait for their certificate and calls between clusters are plain HTTP',
    fix: 'Look at the log of portolan-identity, or set chart value identity.enabled to false',
  },
  RootRunsOut: {
    level: 'warning',
    sentence: 'the last root of {trustDomain} runs out at {until}: calls from and to there fail from then on',
    fix: 'Run `portolan ca status` there; a root gets its successor by itself at two thirds of its life',
  },
  ProxyTlsNotReady: {
    level: 'error',
    sentence:
      'the proxy has no certificate to show, or no roots to check others by, that it could read: it cuts every connection by TLS',
    fix: 'See whether Secret portolan-identity of its namespace has the key of its service account, and the log of portolan-identity; if both are well, delete the pod, and report the log of its proxy',
  },
  ProxyCertificateExpired: {
    level: 'error',
    sentence: 'the certificate that the proxy shows expired at {until}: nobody takes its calls by TLS, or calls it',
    fix: 'See whether Secret portolan-identity of its namespace has a newer one; if not, look at the log of portolan-identity, and if so, delete the pod',
  },
  ProxyCertificateOld: {
    level: 'warning',
    sentence: 'the certificate that the proxy shows is good until {until}, and should have been renewed by now',
    fix: 'See whether Secret portolan-identity of its namespace has a newer one; if not, look at the log of portolan-identity, and if so, delete the pod',
  },
  VipRangeTaken: {
    level: 'error',
    sentence: 'the range of imports, {range}, overlaps with {what} {taken}, so calls there are captured as well',
    fix: 'Install with another range (chart value vipRange), and create pods with sidecars anew',
  },
  VipRangeOtherFamily: {
    level: 'error',
    sentence:
      'the range of imports, {range}, is of {family}, and pods of this cluster have {has} alone: no call to an import leaves them',
    fix: 'Install with a range of a family that they have (chart value vipRange: 240.240.0.0/16, or fd00:240:240::/112), and create pods with sidecars anew',
  },
} as const satisfies Readonly<Record<string, Diagnostic>>
