/** `node test/lab/main.ts up|down|status|load|build`: the lab's command line; see `usage`. */
import { parseArgs } from 'node:util'
import { down, status, up } from './lab.ts'
import { labProvider } from './lab-provider.ts'
import type { Families, Family } from './plan.ts'
import { wholeToolchain } from './toolchain.ts'

const usage = `node test/lab/main.ts up [--n 2 | --names east,west] [--sync 1s] [--nodes 1] [--families 4|6|4,6]
node test/lab/main.ts down [--names east,west]
node test/lab/main.ts status
node test/lab/main.ts load IMAGE [--names east,west]
node test/lab/main.ts build
PORTOLAN_LAB names another lab's directory; labs live beside each other.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    n: { type: 'string', default: '2' },
    names: { type: 'string' },
    sync: { type: 'string', default: '1s' },
    nodes: { type: 'string', default: '1' },
    families: { type: 'string', default: '4' },
  },
})

function familiesOf(text: string): Families {
  const [first, ...more] = text.split(',')
  const family = (word: string | undefined) => {
    if (word !== '4' && word !== '6')
      throw new Error(`--families ${text}: 4, 6 and both, separated by a comma, are known`)
    return Number(word) as Family
  }
  return [family(first), ...more.map(family)]
}

const names = values.names?.split(',').filter(Boolean)
try {
  switch (positionals[0]) {
    case 'up': {
      const clusters = await up(names ?? Array.from({ length: Number(values.n) }, (_, i) => `c${i + 1}`), {
        sync: values.sync,
        nodes: Number(values.nodes),
        families: familiesOf(values.families),
      })
      for (const { name, kubeconfig } of clusters) console.log(`${name}: export KUBECONFIG=${kubeconfig}`)
      break
    }
    case 'load': {
      const provider = labProvider()
      for (const image of positionals.slice(1))
        await Promise.all((names ?? (await provider.running())).map((name) => provider.loadImage(name, image)))
      break
    }
    case 'build':
      await wholeToolchain()
      break
    case 'down':
      await down(names ?? null)
      break
    case 'status': {
      const rows = status()
      for (const row of rows)
        console.log(
          [
            row.name,
            row.state,
            row.address,
            `${row.processes} processes`,
            `${row.memory ?? '?'} MiB`,
            row.kubeconfig,
          ].join('\t'),
        )
      if (rows.length === 0) console.log('no lab is up')
      break
    }
    default:
      console.error(usage)
      process.exitCode = 2
  }
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
