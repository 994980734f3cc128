/** Which of two clusters is the hub when they are connected without a third, and what they are called. Pure. */

/** What is to be known of each of the two. */
export interface End {
  /** The context's name. */
  readonly context: string
  /** Which cluster it is: uid of namespace kube-system. */
  readonly uid: string
  /** Name that a user asks for. */
  readonly wanted?: string
  /** Name that it was installed with. */
  readonly installed: string
  /** What its hub calls it, and which hub that is: uid of namespace kube-system there. */
  readonly told?: { readonly name: string; readonly hub?: string }
  /** Whether a hub's controller is installed. */
  readonly hub: boolean
  /** Clusters that it is the hub of; `uid` as far as it has met them. */
  readonly members: readonly { readonly name: string; readonly uid?: string }[]
  /** What its flags begin with: nothing or `destination-`. */
  readonly prefix: string
}

export type ConnectPlan<E extends End> =
  | { readonly ok: true; readonly hub: Named<E>; readonly member: Named<E> }
  /** With a remedy. */
  | { readonly ok: false; readonly why: string }

export interface Named<E extends End> {
  readonly end: E
  /** Of its Cluster. */
  readonly name: string
}

/** What a chart without a name for its cluster calls it. */
const NO_NAME = 'default'
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/

/** The first of them is the hub, unless it is a member of the other one already. */
export function connectPlan<E extends End>(first: E, second: E): ConnectPlan<E> {
  const isReversed = first.uid !== second.uid && belongsTo(first, second)
  const [hub, member] = isReversed ? [second, first] : [first, second]
  const why = refusal(hub, member)
  if (why !== undefined) return { ok: false, why }
  const [hubName, memberName] = [nameOf(hub, hub), nameOf(member, hub)]
  for (const [end, name] of [
    [hub, hubName],
    [member, memberName],
  ] as const)
    if (typeof name !== 'string') return { ok: false, why: `${end.context} ${name.problem}` }
  if (hubName === memberName)
    return {
      ok: false,
      why: `${hub.context} and ${member.context} are both called ${String(hubName)}; give one of them another name with --${member.prefix}name`,
    }
  return { ok: true, hub: { end: hub, name: String(hubName) }, member: { end: member, name: String(memberName) } }
}

const belongsTo = (end: End, hub: End): boolean =>
  end.told?.hub === hub.uid || hub.members.some(({ uid }) => uid === end.uid)

function refusal(hub: End, member: End): string | undefined {
  if (hub.uid === member.uid) return `${hub.context} and ${member.context} are the same cluster; name two of them`
  for (const end of [hub, member])
    if (end.told !== undefined && !belongsTo(end, hub))
      return `${end.context} is Cluster ${end.told.name} of another hub already; let the other one join that: portolan cluster join NAME --context ${other(end, hub, member).context} --hub-context HUB, or first take it from there: portolan cluster leave ${end.told.name} --context ${end.context} --hub-context HUB`
  if (member.members.length > 0) {
    const names = member.members.map(({ name }) => name).toSorted()
    return `${member.context} is a hub itself, of ${names.join(', ')}; let ${hub.context} join it: portolan cluster connect --context ${member.context} --destination-context ${hub.context}`
  }
  if (!hub.hub)
    return `${hub.context} runs no hub; let it run one: portolan install --context ${hub.context} --hub, or name the other one first, if it runs one`
  return undefined
}

const other = (end: End, hub: End, member: End): End => (end === hub ? member : hub)

/** As its hub knows it, as the user says, as it was installed; else as its context is called. */
function nameOf(end: End, hub: End): string | { readonly problem: string } {
  const known = hub.members.find(({ uid }) => uid === end.uid)?.name ?? end.told?.name
  if (known !== undefined && end.wanted !== undefined && known !== end.wanted)
    return {
      problem: `is Cluster ${known} of ${hub.context} already; leave out --${end.prefix}name, or first portolan cluster leave ${known} --context ${end.context} --hub-context ${hub.context}`,
    }
  const name = known ?? end.wanted ?? (end.installed === NO_NAME ? undefined : end.installed)
  if (name !== undefined) return name
  if (NAME.test(end.context)) return end.context
  return { problem: `was installed without a name, and its context cannot be one; give --${end.prefix}name` }
}
