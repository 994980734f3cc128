/** Rules for Cluster. */
import { KEY_PART } from '../api/fields.ts'
import { gatewayHostRules } from './validate-fields.ts'
import { kubeconfigRules } from './validate-kubeconfig.ts'
import { type At, type Finding, field, found, foundAbout, isRecord, text } from './validate-read.ts'

const KEY_PART_FORM = new RegExp(`^${KEY_PART}$`)

export function* clusterRules(root: At): Iterable<Finding> {
  const spec = field(root, 'spec')
  if (!isRecord(spec.value)) return
  for (const part of ['region', 'zone', 'group'].map((name) => field(spec, name))) {
    const value = text(part)
    if (value !== undefined && !KEY_PART_FORM.test(value)) yield found('KeyPartMalformed', part)
  }
  yield* gatewayHostRules(field(spec, 'gatewayHost'))
  const inline = field(spec, 'kubeconfig')
  const secret = field(spec, 'kubeconfigSecretRef')
  if (inline.value === undefined && secret.value === undefined) yield foundAbout('KubeconfigMissing', secret)
  if (inline.value !== undefined && secret.value !== undefined) yield foundAbout('KubeconfigTwice', inline)
  if (text(inline) !== undefined) yield foundAbout('KubeconfigInline', inline)
  yield* kubeconfigRules(inline)
}
