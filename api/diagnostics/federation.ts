import type { Diagnostic } from '../issue.ts'

/** What merging the exports of several clusters has to say. A code is also the Reason of a status condition. */
export const FEDERATION = {
  NoConflicts: {
    level: 'info',
    sentence: 'exporting clusters agree about the service ({total} of {total})',
    fix: 'Nothing to do',
  },
  PortConflict: {
    level: 'warning',
    sentence:
      '{count} of {total} exporting clusters have other ports than {winner}, whose export is the oldest: {what}',
    fix: 'Give the Services and the rules of their exports the same ports; until then calls go to whoever serves a port',
  },
  TypeConflict: {
    level: 'warning',
    sentence:
      'in {winner}, whose export is the oldest, the Service is {type}, in {count} of {total} exporting clusters it is not; {effect}',
    fix: 'Make the Services all headless or none of them',
  },
  ServiceAccountConflict: {
    level: 'warning',
    sentence:
      'the import says service account {account} because {winner} does, whose export is the oldest; {count} of {total} exporting clusters say otherwise',
    fix: 'Set the same spec.serviceAccountName in all of them',
  },
  SessionStickyConflict: {
    level: 'warning',
    sentence:
      'sessions {sticky} in one cluster because {winner} says so, whose export is the oldest; {count} of {total} exporting clusters say otherwise, which holds within each of them alone',
    fix: 'Set the same spec.sessionSticky in all of them',
  },
  ImportFull: {
    level: 'error',
    sentence:
      'other clusters do not import port {ports} from here: exports that are older fill the import, which holds {room}',
    fix: 'Delete other exports of the service, or export fewer of its ports',
  },
  TargetClusterUnknown: {
    level: 'warning',
    sentence: 'no cluster has the key {value} (yet), so nobody imports the service by it',
    fix: 'Register the cluster, or correct the key',
  },
  Connected: {
    level: 'info',
    sentence: 'the API server at {server} answers, and all that the hub needs of it is known',
    fix: 'Nothing to do',
  },
  Connecting: {
    level: 'info',
    sentence: 'the hub is about to ask the API server for the first time',
    fix: 'Wait a few seconds',
  },
  Unreachable: {
    level: 'warning',
    sentence: 'the API server has not answered since {since}: {why}; imports stay as they are until it does',
    fix: 'Look whether it runs and can be reached from the hub at {server}',
  },
  Unauthorized: {
    level: 'warning',
    sentence: 'the API server at {server} does not accept the credentials: {why}',
    fix: 'Run `portolan cluster join` again, or put a kubeconfig with good credentials where the Cluster points to',
  },
  Forbidden: {
    level: 'warning',
    sentence: 'a permission is missing: {why}',
    fix: 'Grant it. In a member, `portolan install` brings the role portolan-member and `portolan cluster join` gives it to the hub',
  },
  TLSError: {
    level: 'warning',
    sentence: 'there is no trusted connection to the API server at {server}: {why}',
    fix: 'Put the authority that signed the certificate of that API server into the kubeconfig, or correct its address',
  },
  KubeconfigInvalid: {
    level: 'warning',
    sentence: 'the kubeconfig cannot be used: {problems}',
    fix: 'Make one that holds everything itself: `kubectl config view --raw --flatten --minify`, or `portolan cluster join`',
  },
  KubeconfigSecretMissing: {
    level: 'warning',
    sentence: 'Secret {secret} has no key {key} to take the kubeconfig from',
    fix: 'Create it, or correct spec.kubeconfigSecretRef',
  },
  NotInstalled: {
    level: 'warning',
    sentence: 'Portolan is not installed in the cluster: {why}',
    fix: 'Install the chart there; the hub goes on by itself',
  },
  DuplicateCluster: {
    level: 'warning',
    sentence: 'Cluster {other}, which is older, reaches the same API server; this one takes no part',
    fix: 'Delete one of the two, or correct the kubeconfig',
  },
  ManagedElsewhere: {
    level: 'warning',
    sentence: 'another hub manages the cluster, as ConfigMap {identity} there says; this one leaves it alone',
    fix: 'Let it leave at the other hub first; when that hub is no more, delete the ConfigMap',
  },
  CredentialsExpire: {
    level: 'warning',
    sentence: 'the credentials of the kubeconfig expire at {at}; after that the hub is locked out',
    fix: 'Run `portolan cluster join` again, or put a fresh kubeconfig where the Cluster points to',
  },
  ClusterLeft: {
    level: 'info',
    sentence: 'the cluster has left: nothing of it is exported any more, and nothing of the hub is left in it',
    fix: 'Nothing to do',
  },
  LeftBehind: {
    level: 'warning',
    sentence:
      'the cluster has left and nothing of it is exported any more, but what the hub wrote into it is still there: {why}; the hub goes on trying',
    fix: 'Nothing, when it comes back; when it never will, delete Secret {secret}',
  },
  ServerReplaced: {
    level: 'warning',
    sentence:
      'the kubeconfig leads to another API server than before; what the hub wrote into the cluster behind the former one is still there',
    fix: 'Nothing, when that cluster is no more; else delete there the ServiceImports with label app.kubernetes.io/managed-by=portolan and ConfigMap portolan-cluster',
  },
  NamespaceMissing: {
    level: 'warning',
    sentence: 'cannot import {services}: namespace {namespace} is not there and is not to be made',
    fix: 'Create the namespace, or let the hub do so (chart value federation.createNamespaces)',
  },
  ImportNotOurs: {
    level: 'warning',
    sentence:
      'a ServiceImport of this name is there that the hub did not make; it is left alone, and what other clusters export is not imported',
    fix: 'Delete it, so that the hub can put its own there',
  },
  Exported: {
    level: 'info',
    sentence: 'imported by {clusters}',
    fix: 'Nothing to do',
  },
  Exporting: {
    level: 'info',
    sentence: 'imported by {count} of the {total} clusters that it is for; not by {missing}',
    fix: 'Look at the Clusters of those that stay without it for more than a few seconds',
  },
  NoImporter: {
    level: 'info',
    sentence: 'there is no other cluster that it is for',
    fix: 'Register one, or correct spec.targetClusters',
  },
  NotExported: {
    level: 'warning',
    sentence: 'other clusters cannot import it, as the gateway serves nothing of it that they could reach',
    fix: 'Look at the condition Valid',
  },
  Outvoted: {
    level: 'warning',
    sentence: 'nobody imports it from here, as older exports mean other ports by the names of its ports',
    fix: 'Look at the condition Conflict',
  },
} as const satisfies Record<string, Diagnostic>
