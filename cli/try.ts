/** `make try`: the offline commands on the examples, each shown with what it prints and its exit code. */
import { type Io, processIo } from './io.ts'
import { run } from './main.ts'

interface Step {
  readonly why: string
  readonly args: string
  /** Findings are the point of some. */
  readonly code?: 1
}

const WEST = '--cluster-key default/default/default/west'

export const STEPS: readonly Step[] = [
  { why: 'Are the manifests of both clusters in order?', args: 'validate -f examples/east -f examples/west' },
  { why: 'And what would be said of these?', args: 'validate -f examples/mistakes', code: 1 },
  { why: "Where do calls from west's pods go?", args: `compile -f examples/west ${WEST}` },
  {
    why: "And when west's own checkout has no ready pod?",
    args: `compile -f examples/west ${WEST} --down shop/checkout`,
  },
  {
    why: 'Where does this one call go, and what does the application over there see?',
    args: `where storefront checkout.shop:8080/pay?id=7 -X POST -f examples/west ${WEST} --elsewhere default/default/default/east=examples/east`,
  },
  { why: 'What does the gateway of east serve?', args: 'compile -f examples/east' },
  { why: 'What do three clusters import of each other?', args: 'federate -f examples/clusterset' },
  { why: 'What would the webhook make of this pod?', args: 'inject -f examples/west/storefront.yaml' },
]

/** Runs every step. Returns whether each ended as it should. */
export async function tryAll(io: Io): Promise<boolean> {
  let asExpected = true
  const bold = (text: string) => (io.terminal ? `\u001b[1m${text}\u001b[22m` : text)
  for (const { why, args, code = 0 } of STEPS) {
    io.out(`\n${bold(`# ${why}`)}\n${bold(`$ node cli/main.ts ${args}`)}\n`)
    // One stream, so that what was decided stands before what came of it.
    const found = await run(args.split(' '), { ...io, err: io.out })
    io.out(`(exit code ${found})\n`)
    asExpected &&= found === code
  }
  return asExpected
}

if (import.meta.main) {
  process.chdir(`${import.meta.dirname}/..`)
  process.exitCode = (await tryAll(processIo())) ? 0 : 1
}
