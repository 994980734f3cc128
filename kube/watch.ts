import type { Failure } from './failure.ts'
import { fromAnswer } from './failure.ts'
import type { KubeObject } from './object.ts'

export type WatchEvent<T extends KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Carries nothing but how far the watch has come. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }
  | { readonly type: 'ERROR'; readonly failure: Failure }

/** Reads a watch's answer: one JSON value per line, cut anywhere by the transport. */
export async function* readEvents<T extends KubeObject>(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<WatchEvent<T>> {
  const decoder = new TextDecoder()
  // Pieces of the line under way are joined once: a big object comes in many chunks.
  let pieces: string[] = []
  for await (const chunk of chunks) {
    const text = decoder.decode(chunk, { stream: true })
    let from = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      pieces.push(text.slice(from, end))
      from = end + 1
      const line = pieces.join('')
      pieces = []
      if (line !== '') yield toEvent<T>(JSON.parse(line))
    }
    if (from < text.length) pieces.push(text.slice(from))
  }
}

function toEvent<T extends KubeObject>(raw: { readonly type: string; readonly object: T }): WatchEvent<T> {
  switch (raw.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: raw.type, object: raw.object }
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: raw.object.metadata.resourceVersion ?? '' }
    default:
      return { type: 'ERROR', failure: fromAnswer('go on watching', 500, raw.object) }
  }
}
