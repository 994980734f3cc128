import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { tryAll } from '../../cli/try.ts'
import { portolan, transcript } from './session.ts'

const GOLDEN = join(import.meta.dirname, '../golden/cli')
const WEST = '-f examples/west --cluster-key default/default/default/west'
const EAST = '--elsewhere default/default/default/east=examples/east'

const STICKY = '-f test/golden/compile/sticky-active-active.in.yaml'
const SERVING = '--elsewhere default/default/default/east=test/golden/compile/export-load-balancers.in.yaml'

/** File of the golden → command line. */
const CASES: Readonly<Record<string, string>> = {
  'validate-clean.txt': 'validate -f examples/east -f examples/west',
  'validate-mistakes.txt': 'validate -f examples/mistakes',
  'validate-mistakes.json': 'validate -f examples/mistakes -o json',
  'validate-mistakes.yaml': 'validate -f examples/mistakes/exports.yaml -o yaml',
  'validate-colored.txt': 'validate -f examples/mistakes/exports.yaml --color always',
  'compile-west.txt': `compile ${WEST}`,
  'compile-west.json': `compile ${WEST} -o json`,
  'compile-west.yaml': `compile ${WEST} -o yaml`,
  'compile-west-down.txt': `compile ${WEST} --down shop/checkout --down shop/catalog`,
  'compile-west-egress.txt': `compile ${WEST} --egress`,
  'compile-east.txt': 'compile -f examples/east',
  'compile-mistakes.txt': 'compile -f examples/mistakes',
  'compile-mistakes.json': 'compile -f examples/mistakes -o json',
  'compile-load-balancers.txt': 'compile -f test/golden/compile/export-load-balancers.in.yaml',
  'compile-sticky.txt': `compile ${STICKY}`,
  'compile-both.txt': 'compile -f examples/west -f examples/east',
  'inject.txt': 'inject -f examples/west',
  'inject.json': 'inject -f examples/west/storefront.yaml -o json',
  'where-failover.txt': `where storefront checkout.shop:8080/pay?id=7 -X POST ${WEST} ${EAST}`,
  'where-failover.json': `where storefront checkout.shop:8080 ${WEST} ${EAST} -o json`,
  'where-active.txt': `where storefront http://catalog.shop:8080 ${WEST}`,
  'where-locality.txt': `where storefront reports.shop:8080/2026 ${WEST}`,
  'where-no-port.txt': `where storefront catalog.shop ${WEST}`,
  'where-sticky.txt': `where shop web.shop:8080 ${STICKY} --cluster-key default/default/default/west ${SERVING}`,
  'where-elsewhere.txt': `where storefront www.example.com ${WEST}`,
  'where-outsider.txt': `where shop catalog.shop:8080 ${WEST}`,
  'federate.txt': 'federate -f examples/clusterset',
  'federate.json': 'federate -f examples/clusterset -o json',
  'federate-west.txt': 'federate -f examples/clusterset --for west --no-namespaces',
  'federate-strangers.txt': 'federate -f examples',
  'federate-stdin.txt': 'federate -f -',
  'federate-nobody.txt': 'federate -f examples/clusterset --for south',
  'help.txt': '--help',
}

describe('prints', () => {
  test.each(Object.entries(CASES))('%s', async (file, line) => {
    const session = await portolan(line.split(' '))
    await expect(`$ portolan ${line}\n${transcript(session)}`).toMatchFileSnapshot(join(GOLDEN, file))
  })

  test('no golden without its command', () => {
    expect(readdirSync(GOLDEN).sort()).toEqual(Object.keys(CASES).sort())
  })

  test.each(['validate', 'compile', 'federate'])(
    '%s -o json is one JSON document and nothing on stderr',
    async (command) => {
      for (const dir of ['examples/west', 'examples/mistakes', 'examples/clusterset']) {
        const { out, err } = await portolan([command, '-f', dir, '-o', 'json'])
        expect(err).toBe('')
        expect(JSON.parse(out)).toHaveProperty('findings')
      }
    },
  )
})

test('make try ends as it says', async () => {
  const io = { out: () => {}, err: () => {}, stdin: async () => '', terminal: false }
  expect(await tryAll(io)).toBe(true)
})
