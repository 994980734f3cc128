/** `portolan dns`, against a real API server. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { render } from '../../chart/helm.ts'
import { kubectl, SYSTEM } from '../../kube/compiler.ts'
import { type Installed, installed } from './installed.ts'

const COREFILE = '.:53 {\n    errors\n    kubernetes cluster.local\n    reload\n}\n'
const ADDRESS = '10.43.0.53'
let west: Installed

const corefile = (text: string, name = 'coredns') => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'kube-system', name, labels: { mine: 'yes' } },
  data: { Corefile: text, NodeHosts: 'x' },
})
const now = async (name = 'coredns', key = 'Corefile') =>
  JSON.parse(await kubectl(west.api, ['get', 'configmap', '-n', 'kube-system', name, '-o', 'json'])).data[key]

const run = async (line: string) => {
  const { code, out, err } = await west.portolan(`dns ${line}`)
  return `exit code ${code}\n${err}${out}`
}

beforeAll(async () => {
  west = await installed()
  const service = await render('--show-only', 'templates/dns/service.yaml', '--set', `dns.clusterIP=${ADDRESS}`)
  await kubectl(west.api, ['apply', '-f', '-'], service)
  await west.look.apply(corefile(COREFILE), corefile('.:53 {\n    errors\n', 'broken'))
})
afterAll(() => west?.api.stop())

// One after another, on the same ConfigMap.
test('status says what is missing', async () => {
  expect(await run('status')).toBe(
    'exit code 1\ntest: pods without a sidecar do not resolve names of clusterset.local: ConfigMap kube-system/coredns does not hand them to mesh DNS. Run: portolan dns enable\n',
  )
})

test('a dry run shows what would change, and changes nothing', async () => {
  expect(await run('enable --dry-run')).toMatchInlineSnapshot(`
    "exit code 0
    test: ConfigMap kube-system/coredns, Corefile:
    + # portolan: begin. \`portolan dns disable\` removes this block.
    + clusterset.local:53 {
    +     errors
    +     cache 5
    +     forward . 10.43.0.53:5353
    + }
    + # portolan: end
    "
  `)
  expect(await now()).toBe(COREFILE)
})

test('enable adds a block, once, and disable leaves what was there before', async () => {
  expect(await run('enable')).toMatchInlineSnapshot(`
    "exit code 0
    test: names of clusterset.local go to mesh DNS at 10.43.0.53:5353. DNS reads it by itself, in a minute or two.
    "
  `)
  const enabled = await now()
  expect(enabled.endsWith(COREFILE)).toBe(true)
  expect(await run('enable')).toMatchInlineSnapshot(`
    "exit code 0
    test: names of clusterset.local went to mesh DNS at 10.43.0.53:5353 already.
    "
  `)
  expect(await now()).toBe(enabled)
  const { code, out } = await west.portolan('dns status -o json')
  expect([code, JSON.parse(out)]).toEqual([
    0,
    {
      configMap: 'kube-system/coredns',
      key: 'Corefile',
      meshDns: `${ADDRESS}:5353`,
      forwardsTo: `${ADDRESS}:5353`,
      resolves: true,
      reloads: true,
    },
  ])
  expect(await run('disable --dry-run')).toContain('- clusterset.local:53 {')
  expect(await run('disable')).toMatchInlineSnapshot(`
    "exit code 0
    test: names of clusterset.local go to mesh DNS no more. DNS reads it by itself, in a minute or two.
    "
  `)
  expect(await now()).toBe(COREFILE)
  expect(await now('coredns', 'NodeHosts')).toBe('x')
  expect(await run('disable')).toMatchInlineSnapshot(`
    "exit code 0
    test: names of clusterset.local did not go to mesh DNS.
    "
  `)
})

test('an address of before is put right', async () => {
  await run('enable')
  await west.look.apply(corefile((await now()).replace(ADDRESS, '10.43.0.54')))
  expect(await run('status')).toContain(`hands them to 10.43.0.54:5353, and mesh DNS is at ${ADDRESS}:5353`)
  expect(await run('enable --dry-run')).toContain(`-     forward . 10.43.0.54:5353\n+     forward . ${ADDRESS}:5353\n`)
  await run('enable')
  expect((await run('status')).startsWith('exit code 0')).toBe(true)
  await run('disable')
})

test('a file that the Corefile takes in is made, and emptied', async () => {
  const place = '--config-map kube-system/coredns-custom --key portolan.server'
  expect(await run(`enable ${place}`)).toContain(
    'DNS reads it when the Corefile that takes it in has the plugin reload',
  )
  expect(await now('coredns-custom', 'portolan.server')).toContain('clusterset.local {')
  await run(`disable ${place}`)
  expect(
    JSON.parse(await kubectl(west.api, ['get', 'configmap', '-n', 'kube-system', 'coredns-custom', '-o', 'json'])).data,
  ).toBeUndefined()
})

test('one without the plugin reload has to be restarted, and is told', async () => {
  await west.look.apply(corefile(COREFILE.replace('    reload\n', '')))
  expect(await run('enable')).toContain('kubectl -n kube-system rollout restart deployment coredns')
  await run('disable')
})

test('what is not understood, or not there, is left alone', async () => {
  expect(await run('enable --config-map kube-system/broken')).toMatchInlineSnapshot(`
    "exit code 2
    error: test: ConfigMap kube-system/broken: the Corefile is not understood: line 2: the last block does not end; put it right, or have it forward clusterset.local to mesh DNS by hand
    "
  `)
  expect(await now('broken')).toBe('.:53 {\n    errors\n')
  expect(await run('enable --config-map kube-system/nobody')).toMatchInlineSnapshot(`
    "exit code 2
    error: test: there is no ConfigMap kube-system/nobody with a Corefile; name where DNS has its configuration with --config-map and --key, or have it forward clusterset.local to mesh DNS by its own means
    "
  `)
  expect(await run('enable --config-map coredns')).toContain('exit code 2\n')
  await kubectl(west.api, ['delete', 'service', '-n', SYSTEM, 'portolan-dns'])
  expect(await run('enable')).toMatchInlineSnapshot(`
    "exit code 2
    error: test: Service portolan-system/portolan-dns has no port clusterset; bring Portolan there up to date with portolan install
    "
  `)
})
