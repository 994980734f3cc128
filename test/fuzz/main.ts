/** `node test/fuzz/main.ts`: feeds everything that reads what others wrote, until something breaks or the inputs are used up. */
import { inspect, parseArgs } from 'node:util'
import { type Found, feed, sharesOf } from './run.ts'
import { TARGETS } from './targets.ts'

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    target: { type: 'string' },
    only: { type: 'string' },
    minutes: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

const HELP = `node test/fuzz/main.ts [--inputs N] [--seed S] [--target NAME [--only INDEX]] [--minutes M]
  --inputs  how many, of all targets together (default 1000000)
  --seed    what all inputs are made of; a run of the same seed has the same inputs (default: by the clock)
  --target  one alone: ${Object.keys(TARGETS).join(', ')}
  --minutes for each target at most
  --only    one input alone, by the number that a finding has
`

const show = ({ target, index, problem, input }: Found, seed: number): string => {
  const again =
    index === undefined ? '' : `\n  again: node test/fuzz/main.ts --seed ${seed} --target ${target} --only ${index}`
  return `FOUND ${target}${again}\n  ${problem.replaceAll('\n', '\n  ')}\n  ${inspect(input, { depth: 12, breakLength: 160 }).slice(0, 4_000)}\n`
}

if (values.help) console.log(HELP)
else {
  const seed = Number(values.seed)
  const names = values.target === undefined ? Object.keys(TARGETS) : [values.target]
  const opened = await Promise.all(names.map((name) => TARGETS[name]?.(seed)))
  const targets = opened.filter((target) => target !== undefined)
  if (targets.length === 0) throw new Error(`there is no target ${values.target}: see --help`)
  console.log(`seed ${seed}`)
  let inputs = 0
  let findings = 0
  const started = performance.now()
  for (const [index, share] of sharesOf(targets, values.only === undefined ? Number(values.inputs) : 1).entries()) {
    const target = targets[index]
    if (target === undefined) continue
    const first = values.only === undefined ? 0 : Number(values.only)
    const tally = await feed(target, {
      seed,
      inputs: share,
      first,
      ...(values.minutes === undefined ? {} : { mostMs: Number(values.minutes) * 60_000 }),
    })
    inputs += tally.inputs
    findings += tally.found.length
    for (const finding of tally.found) console.log(show(finding, seed))
    const rate = Math.round(tally.inputs / tally.seconds)
    console.log(
      `${tally.target.padEnd(12)} ${String(tally.inputs).padStart(8)} inputs ${String(rate).padStart(7)}/s  ${tally.found.length} findings`,
    )
  }
  for (const target of targets) await target.close?.()
  console.log(
    `${inputs} inputs in ${Math.round((performance.now() - started) / 1000)} s, ${findings} findings, seed ${seed}`,
  )
  process.exitCode = findings > 0 ? 1 : 0
}
