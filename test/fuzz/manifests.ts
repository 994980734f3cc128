/** Files of manifests as the commands read them, a few characters away from good ones. */

import { DEFAULT_VIP_RANGE } from '../../api/names.ts'
import { compileFiles } from '../../cli/cluster.ts'
import { injectCommand } from '../../cli/inject.ts'
import { findingLine, painter } from '../../cli/print.ts'
import type { Tables } from '../../compiler/tables.ts'
import { clusterKey } from '../compiler/build.ts'
import { texts } from './corpus.ts'
import { judge } from './envoy.ts'
import { mutatedText } from './mutate.ts'
import type { Target } from './target.ts'

const CLUSTER = {
  filename: ['-'],
  namespace: 'default',
  meshName: 'portolan',
  clusterKey: clusterKey('west'),
  clusterDomain: 'cluster.local',
  vipRange: DEFAULT_VIP_RANGE,
  down: [],
}
const INJECT = {
  ...CLUSTER,
  output: 'yaml',
  colors: false,
  proxyImage: 'envoy',
  initImage: 'portolan',
  imagePullPolicy: 'IfNotPresent',
  dnsAddress: '10.43.0.99',
  mtls: true,
} as const

export const manifests = (): Target<string> => {
  const jury = judge<string>()
  return {
    name: 'manifests',
    share: 3,
    make: (chance) => {
      let text = chance.pick(texts)
      if (chance.next() < 0.3) text += `\n---\n${chance.pick(texts)}`
      for (let steps = chance.below(4); steps > 0; steps--) text = mutatedText(chance, text)
      return text
    },
    check: async (text) => {
      let said = ''
      const io = { out: () => {}, err: (line: string) => (said += line), stdin: async () => text, terminal: false }
      const { tables, findings } = await compileFiles(CLUSTER, io)
      const code = await injectCommand(INJECT, io)
      const lines = findings.map((finding) => findingLine(finding, painter(false)))
      if (code === 1 && said.trim() === '') return 'inject refuses without a word'
      if (lines.some((line) => !/\w+ \w+/.test(line))) return `a finding without words: ${lines.join('')}`
      if (tables !== undefined) jury.add(tables satisfies Tables, text)
      return undefined
    },
    settle: jury.settle,
  }
}
