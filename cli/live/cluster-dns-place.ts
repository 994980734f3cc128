/** Where the cluster's own DNS has its configuration. */
export interface DnsPlace {
  readonly configMap: { readonly namespace: string; readonly name: string }
  /** In it. */
  readonly key: string
}

/** Unless a distribution has it elsewhere. */
export const COREFILE: DnsPlace = { configMap: { namespace: 'kube-system', name: 'coredns' }, key: 'Corefile' }

export const placeOf = ({ configMap: { namespace, name } }: DnsPlace): string => `${namespace}/${name}`
