/** The URL of an API server as the hub takes it: https, and nothing in it but where the server is. Undefined for any other text. */
export function serverUrl(text: string | undefined): URL | undefined {
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined
  const isPlain = url?.protocol === 'https:' && url.username === '' && url.search === '' && url.hash === ''
  return isPlain ? url : undefined
}
