/** Rewrites that we admit, given to Envoy as routes of one gateway. */

import { compile } from '../../compiler/compile.ts'
import { expressionOf, rewriteProblem, rewritten } from '../../compiler/regex.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import * as build from '../compiler/build.ts'
import { judge } from './envoy.ts'
import { expression, replacement } from './expressions.ts'
import type { Target } from './target.ts'

interface Rewrite {
  readonly from: string
  readonly to: string
}

const PATH = '/a/b-1/x%2Fy'

const exported = (pathRewrite: Rewrite, index: number) =>
  build.serviceExport(`shop/s${index}`, { rules: [{ portNumber: 80, path: `/s${index}` }], pathRewrite })

const snapshotWith = (rewrites: readonly Rewrite[]): Snapshot =>
  build.snapshot({
    namespaces: [],
    services: rewrites.map((_, index) => build.service(`shop/s${index}`, { ports: [{ port: 80 }] })),
    endpointSlices: [],
    imports: [],
    exports: rewrites.map(exported),
    policies: [],
  })

export const rewriting = (): Target<Rewrite> => {
  const jury = judge<Rewrite>()
  return {
    name: 'rewriting',
    share: 5,
    make: (chance) => ({ from: expression(chance), to: replacement(chance) }),
    check: (rewrite) => {
      const known = rewriteProblem(rewrite)
      const made = expressionOf(rewrite.from)
      if (known === undefined) {
        if ('problem' in made) return 'is both right and wrong'
        rewritten(PATH, rewrite)
        jury.add(compile(snapshotWith([rewrite])), rewrite)
      }
      return undefined
    },
    settle: jury.settle,
  }
}
