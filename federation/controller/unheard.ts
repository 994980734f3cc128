/** Names of clusters, of their keys. */
export const namesOf = (keys: ReadonlySet<string>): ReadonlySet<string> =>
  new Set([...keys].map((key) => key.slice(key.lastIndexOf('/') + 1)))
