/** Runs `body` for each item, at most `width` at once, and resolves with the results in the items' order. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  body: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  // An iterator shared by all workers hands each item to one of them.
  const queue = items.entries()
  const work = async () => {
    for (const [index, item] of queue) results[index] = await body(item)
  }
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, work))
  return results
}
