/** The definitions that the chart brings, for an API server without it. */
import { join } from 'node:path'

const FILES = join(import.meta.dirname, '../../charts/portolan/files')

/** Of our own kinds and of the standard's; for `kubectl apply`. */
export const CRDS = ['crds', 'crds-mcs'].flatMap((folder) => ['-f', join(FILES, folder)])
/** Of SMI's kinds as well. */
export const ALL_CRDS = [...CRDS, '-f', join(FILES, 'smi')]
