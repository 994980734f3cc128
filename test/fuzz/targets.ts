import { admission } from './admission.ts'
import { injection } from './injection.ts'
import { kubeconfigs } from './kubeconfigs.ts'
import { manifests } from './manifests.ts'
import { merging } from './merging.ts'
import { rewriting } from './rewriting.ts'
import type { Target } from './target.ts'
import { validation } from './validation.ts'
import { withoutWebhook } from './without-webhook.ts'
import { worlds } from './worlds.ts'

/** Everything that reads what others wrote. Opened one at a time. */
// biome-ignore lint/suspicious/noExplicitAny: what a target is fed with is its own business
export const TARGETS: Readonly<Record<string, (seed: number) => Promise<Target<any>> | Target<any>>> = {
  admission,
  validation: () => validation,
  injection,
  manifests,
  rewriting,
  kubeconfigs: () => kubeconfigs,
  merging,
  worlds,
  withoutWebhook,
}
