/** `node test/bench/names.bench.ts`: how large zones grow, and how soon mesh DNS answers out of a new one. */

import { compile } from '../../compiler/compile.ts'
import { dnsFiles } from '../../compiler/files.ts'
import * as build from '../compiler/build.ts'
import { derived, standard } from '../dns/build.ts'
import { ask, startMeshDns } from '../dns/coredns.ts'
import { Mount } from '../envoy/proxy.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'

const CHANGES = 10
const kB = (bytes: number) => `${Math.ceil(bytes / 1000)} kB`

const filesOf = (keys: readonly string[]) =>
  dnsFiles(
    compile(
      build.snapshot({
        mesh: { ...build.mesh, egressNamespace: 'portolan-system' },
        imports: keys.map((key) => standard(key)),
        services: keys.map((key, index) => derived(key, `10.43.${index >> 8}.${index & 255}`)),
      }),
    ),
    'portolan-system',
  )

console.log('| imports of one port | `hosts` | each zone | ConfigMap | files swapped → answered, median | slowest |')
console.log('|---|---|---|---|---|---|')
for (const count of [100, 1_000, 3_000]) {
  const keys = Array.from({ length: count }, (_, index) => `team-${index % 50}/service-${index}`)
  const { files } = filesOf(keys)
  const mount = new Mount()
  mount.swap(files)
  const dns = await startMeshDns(mount.directory, await freePort())
  const took: number[] = []
  for (let change = 0; change < CHANGES; change += 1) {
    const { files: next } = filesOf([...keys, `team-0/new-${change}`])
    const begin = performance.now()
    mount.swap(next)
    await until(
      'the new name is known',
      async () =>
        (await ask(dns.cluster, 'A', `new-${change}.team-0.svc.clusterset.local`))[0]?.startsWith('10.') === true,
    )
    took.push(Math.round(performance.now() - begin))
  }
  await dns.stop()
  mount.remove()
  const sizes = Object.values(files).map((text) => text.length)
  const [hosts = 0, zone = 0] = sizes
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const sorted = took.toSorted((a, b) => a - b)
  console.log(
    `| ${[count.toLocaleString('en'), kB(hosts), kB(zone), kB(total), `${sorted[CHANGES / 2]} ms`, `${sorted.at(-1)} ms`].join(' | ')} |`,
  )
}
