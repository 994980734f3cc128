/** FNV-1a. Decides only where the search for a free number begins, so that a name tends to get the same one again. 32 bits. */
export const nameHash = (text: string): number => {
  let value = 0x811c9dc5
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0
  return value
}
