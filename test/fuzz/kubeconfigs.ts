/** Kubeconfigs: whatever one says, nothing of its credentials is said again. */
import { parseKubeconfig } from '../../kube/kubeconfig.ts'
import { kubeconfigRules } from '../../webhook/validate-kubeconfig.ts'
import { mutatedText } from './mutate.ts'
import type { Target } from './target.ts'

const SECRET = 'c2VjcmV0LXNlY3JldC1zZWNyZXQ'

const kubeconfig = (user: string): string => `apiVersion: v1
kind: Config
clusters:
- name: west
  cluster:
    server: https://192.0.2.1:6443/a
    certificate-authority-data: ${Buffer.from('-----BEGIN CERTIFICATE-----\nx').toString('base64')}
    tls-server-name: west
users:
- name: hub
  user:
${user}
contexts:
- name: west
  context: { cluster: west, user: hub, namespace: portolan-system }
current-context: west
`

const GOOD = [
  kubeconfig(`    token: ${SECRET}`),
  kubeconfig(`    username: hub\n    password: ${SECRET}`),
  kubeconfig(`    client-certificate-data: ${SECRET}\n    client-key-data: ${SECRET}`),
  kubeconfig(`    token: x.${Buffer.from('{"exp":1800000000}').toString('base64url')}.${SECRET}`),
  kubeconfig(`    token: x.${Buffer.from('{"exp":1e99}').toString('base64url')}.${SECRET}`),
  kubeconfig(`    exec: { command: ${SECRET} }`),
  JSON.stringify({ 'current-context': 'a', contexts: [{ name: 'a', context: {} }], users: [{ token: SECRET }] }),
] as const

/** Long enough to be no coincidence. */
const TELLING = SECRET.slice(0, 8)

export const kubeconfigs: Target<string> = {
  name: 'kubeconfigs',
  share: 12,
  make: (chance) => {
    let text = chance.pick(GOOD)
    for (let steps = chance.below(5); steps > 0; steps--) text = mutatedText(chance, text)
    return text
  },
  check: (text) => {
    const read = parseKubeconfig(text)
    const ruled = [...kubeconfigRules({ path: 'spec.kubeconfig', value: text })]
    const said = JSON.stringify([read.ok ? [] : read.problems, ruled])
    if (said.includes(TELLING)) return `a credential is in what is said: ${said}`
    if (!read.ok) return read.problems.length > 0 ? undefined : 'refused without a word'
    return new URL(read.connection.server).protocol === 'https:' ? undefined : `connects to ${read.connection.server}`
  },
}
