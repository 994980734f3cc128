import type { Diagnostic } from '../issue.ts'

/**
 * What is to be said of services that the standard's ServiceExport (multicluster.x-k8s.io) offers, on top of what is said of
 * any export. Codes that are reasons of the standard are spelt as it spells them.
 */
export const STANDARD = {
  NoService: {
    level: 'warning',
    sentence: 'there is no Service {namespace}/{name} (yet), so nothing is exported',
    fix: 'Create the Service, or delete the export',
  },
  InvalidServiceType: {
    level: 'warning',
    sentence: 'the Service is of type ExternalName, which is an alias and has no endpoints to export',
    fix: 'Export a Service of another type',
  },
  PodAddressesOnly: {
    level: 'info',
    sentence:
      'the Service is headless: unless an older export is of another type, its names answer the addresses of pods, which callers in other clusters reach only where the clusters share a network',
    fix: 'Nothing to do where they do; else export a Service with a clusterIP',
  },
  NoGatewayNeeded: {
    level: 'info',
    sentence:
      'no gateway serves any port of the Service: other clusters get the addresses of its pods, which callers there reach only where the clusters share a network',
    fix: 'Nothing to do where they do; else give the Service a port of protocol TCP',
  },
  SessionAffinityConflict: {
    level: 'warning',
    sentence:
      'sessionAffinity is {value} because the Service in {winner} says so, whose export is the oldest; {count} of {total} exporting clusters say otherwise',
    fix: 'Set the same spec.sessionAffinity in the Services',
  },
  SessionAffinityConfigConflict: {
    level: 'warning',
    sentence:
      'sessions last {value} s because the Service in {winner} says so, whose export is the oldest; {count} of {total} exporting clusters say otherwise',
    fix: 'Set the same spec.sessionAffinityConfig in the Services',
  },
  InternalTrafficPolicyConflict: {
    level: 'warning',
    sentence:
      'internalTrafficPolicy is {value} because the Service in {winner} says so, whose export is the oldest; {count} of {total} exporting clusters say otherwise',
    fix: 'Set the same spec.internalTrafficPolicy in the Services',
  },
  TrafficDistributionConflict: {
    level: 'warning',
    sentence:
      'trafficDistribution is {value} because the Service in {winner} says so, whose export is the oldest; {count} of {total} exporting clusters say otherwise',
    fix: 'Set the same spec.trafficDistribution in the Services',
  },
  IPFamilyConflict: {
    level: 'warning',
    sentence:
      'no IP family is common to all Services, so it is {value} as in {winner}, whose export is the oldest; {count} of {total} exporting clusters have another',
    fix: 'Give the Services an IP family that all of them have',
  },
  LabelsConflict: {
    level: 'warning',
    sentence:
      'the labels of the import are {value}, as {winner} has it, whose export is the oldest of its kind; {count} of {total} exporting clusters have others',
    fix: 'Set the same spec.exportedLabels in all of them',
  },
  AnnotationsConflict: {
    level: 'warning',
    sentence:
      'the annotations of the import are {value}, as {winner} has it, whose export is the oldest of its kind; {count} of {total} exporting clusters have others',
    fix: 'Set the same spec.exportedAnnotations in all of them',
  },
  ExportedWordsUnusable: {
    level: 'warning',
    sentence: 'the import cannot have {names}: {why}',
    fix: 'Write names and values that Kubernetes takes, and few enough',
  },
  Pending: {
    level: 'info',
    sentence: 'no other cluster imports it yet: it is still to reach {missing}',
    fix: 'Look at the Clusters of those that stay without it for more than a few seconds',
  },
  Ready: {
    level: 'info',
    sentence: 'the hub has it, and no other cluster is to import it now',
    fix: 'Nothing to do: a cluster imports it once it has joined and has the namespace',
  },
  Failed: {
    level: 'warning',
    sentence: 'no cluster can import it from here',
    fix: 'See what is said beside this',
  },
} as const satisfies Record<string, Diagnostic>
