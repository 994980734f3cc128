/** socat from Debian's package: connections of one kind joined to those of another, or to a shell. */
import { join } from 'node:path'
import { copyLibraries, withPackages } from './libraries.ts'
import { copyBinary } from './toolchain.ts'

const PROGRAM = 'usr/bin/socat'

/** Fills an image's layer; the base image is below it. */
export async function fillSocat(dir: string): Promise<void> {
  await withPackages(['socat', 'libc6'], async (root) => {
    await copyBinary(join(root, PROGRAM), join(dir, PROGRAM))
    await copyLibraries(root, dir, [PROGRAM])
  })
}
