/**
 * Which trust domain the leaves are of, and which one others are told of. They differ while a cluster goes from one to
 * another: whoever calls it goes by what is published, and that changes when the last pod has had time to read its new leaf.
 */
export interface DomainRecord {
  readonly published: string
  /** What leaves are made for. */
  readonly issued: string
  /** When the last leaf of another domain was gone, milliseconds since the epoch; absent while there are some. */
  readonly since?: number
}

/**
 * @param before absent when nothing has been published yet
 * @param assigned the domain that the cluster is to have
 * @param strangers whether leaves of another domain than `before.issued` are about
 */
export const planDomain = (
  now: number,
  before: DomainRecord | undefined,
  assigned: string,
  strangers: boolean,
  settleMs: number,
): DomainRecord => {
  if (before === undefined) return { published: assigned, issued: assigned }
  const { published, issued, since } = before
  if (issued !== assigned) return { published, issued: assigned }
  if (published === issued) return since === undefined ? before : { published, issued }
  if (strangers) return since === undefined ? before : { published, issued }
  if (since === undefined) return { published, issued, since: now }
  return since + settleMs <= now ? { published: issued, issued } : before
}
