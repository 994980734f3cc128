import { setTimeout as sleep } from 'node:timers/promises'
import { FIELD_MANAGER, IDENTITY_CONFIGMAP } from '../../api/names.ts'
import { CONFIGMAPS } from '../../api/resources.ts'
import { FORCE_ANNOTATION, ROLL_ANNOTATION } from '../../certs/identity/published.ts'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { type CaFacts, caFacts, lackingText, shortId } from './ca-facts.ts'
import { type Live, must, withCluster } from './connect.ts'
import type { LiveFlags } from './flags.ts'

export interface CaRollOptions extends LiveFlags {
  readonly force: boolean
  readonly wait: boolean
  /** Seconds. */
  readonly timeout: number
}

/** How long the identity server may take to make a root. */
const PATIENCE_MS = 20_000
const POLL_MS = 500

/** `portolan ca roll`: gives a cluster another root and takes the old one out of use. Findings = it is not over in time. */
export function caRoll(options: CaRollOptions, io: Io): Promise<ExitCode> {
  return withCluster<ExitCode>(options, async (cluster) => {
    const before = await caFacts(cluster)
    if (before.source !== undefined)
      throw new UsageError(
        `${cluster.name}: the root comes from Secret ${before.source}, which cert-manager keeps; renew it there: cmctl renew ${before.source} -n ${cluster.portolanNamespace}. It is rolled in by itself`,
      )
    const next = before.candidate ?? (await begun(cluster, before))
    io.out(
      before.candidate === undefined
        ? `root ${shortId(next.id)} is made; it signs when all members hold it\n`
        : `root ${shortId(next.id)} is on its way already\n`,
    )
    if (options.force) {
      await annotate(cluster, { [FORCE_ANNOTATION]: next.id })
      io.out(
        'it does not wait for members that lack it: they refuse calls of this cluster until the hub reaches them\n',
      )
    }
    if (!options.wait) {
      io.out('see how it goes with: portolan ca status\n')
      return 0
    }
    return watch(cluster, next.id, options.timeout, io)
  })
}

/** Asks for a root to follow the one that signs, and waits until it is there. */
async function begun(cluster: Live, { roots }: CaFacts): Promise<{ readonly id: string }> {
  const signing = roots.find(({ phase }) => phase === 'signing')
  if (signing === undefined)
    throw new UsageError(`${cluster.name}: no root signs yet; see portolan ca status, and try again`)
  await annotate(cluster, { [ROLL_ANNOTATION]: signing.id })
  const known = new Set(roots.map(({ id }) => id))
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; await sleep(POLL_MS)) {
    const made = (await caFacts(cluster)).roots.find(({ id }) => !known.has(id))
    if (made !== undefined) return made
  }
  throw new UsageError(
    `${cluster.name}: nobody has made a new root within ${PATIENCE_MS / 1_000} s; see whether Deployment portolan-identity runs. The wish stays, so that it will`,
  )
}

async function annotate(cluster: Live, annotations: Readonly<Record<string, string>>): Promise<void> {
  const { client, name, portolanNamespace: namespace } = cluster
  const options = { type: 'merge', body: { metadata: { annotations } }, manager: FIELD_MANAGER.cli } as const
  must(await client.patch(CONFIGMAPS, { namespace, name: IDENTITY_CONFIGMAP }, options), name)
}

/** Says each step once. */
async function watch(cluster: Live, id: string, timeoutSeconds: number, io: Io): Promise<ExitCode> {
  let said = ''
  for (const end = Date.now() + timeoutSeconds * 1_000; Date.now() < end; await sleep(POLL_MS)) {
    const facts = await caFacts(cluster)
    const step = stepOf(facts, id)
    if (step.text !== said) io.out(`${step.text}\n`)
    said = step.text
    if (step.over) return 0
  }
  const { lacking } = await caFacts(cluster)
  const why =
    lacking.length === 0
      ? 'it goes on by itself: see portolan ca status'
      : `it waits for ${lackingText(lacking)}: bring the member back, take it from the hub with portolan cluster leave, or go on without it with portolan ca roll --force`
  io.err(`not over within ${timeoutSeconds} s; ${why}\n`)
  return 1
}

/** Where a roll is. */
export function stepOf(
  { roots, lacking }: Pick<CaFacts, 'roots' | 'lacking'>,
  id: string,
): { readonly text: string; readonly over: boolean } {
  const root = roots.find((each) => each.id === id)
  const name = `root ${shortId(id)}`
  if (root === undefined) return { text: `${name} is gone again: another has taken its place`, over: true }
  if (root.phase === 'new') return { text: `${name} is about to be published`, over: false }
  if (root.phase === 'trusted') {
    const from = root.signsFrom === undefined ? '' : `; it signs from ${root.signsFrom} at the earliest`
    const waits = lacking.length === 0 ? '' : `; it waits for ${lackingText(lacking)}`
    return { text: `1/3 ${name} is published${from}${waits}`, over: false }
  }
  const old = roots.filter((each) => each.id !== id)
  if (old.some(({ phase }) => phase === 'retiring'))
    return { text: `2/3 ${name} signs; certificates by ${named(old)} are being replaced`, over: false }
  if (old.length > 0)
    return {
      text: `3/3 no certificate by ${named(old)} is left; it goes when pods have read their new ones`,
      over: false,
    }
  return { text: `done: ${name} is the only one`, over: true }
}

const named = (roots: CaFacts['roots']): string => roots.map(({ id }) => shortId(id)).join(', ')
