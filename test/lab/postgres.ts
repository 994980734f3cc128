/** PostgreSQL from Debian's packages, as small as a server, psql and pgbench can be. */
import { chmodSync, copyFileSync, cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyLibraries, withPackages } from './libraries.ts'
import { copyBinary } from './toolchain.ts'

const PACKAGES = ['postgresql', 'libc6']
const SERVER = ['postgres', 'initdb']
const CLIENTS = ['psql', 'pgbench']
/** Anybody but root, which PostgreSQL refuses to run as. */
const POSTGRES_UID = 70
/** Extensions that a new database has. */
const MODULES = /^(plpgsql|dict_snowball|utf8_and_\w+)\.so$/

/** A database that forgets everything when it ends. CLUSTER names it; anybody may connect. */
const START = `#!/bin/sh
set -e
initdb --pgdata=/tmp/data --username=postgres --auth=trust --locale=C --encoding=UTF8 --no-sync >/dev/null
echo 'host all all all trust' >>/tmp/data/pg_hba.conf
exec postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp -c cluster_name="$CLUSTER" -c fsync=off
`

export const POSTGRES_USER = `${POSTGRES_UID}:${POSTGRES_UID}`

/** Fills an image's layer; the base image is below it. */
export async function fillPostgres(dir: string): Promise<void> {
  await withPackages(PACKAGES, (unpacked) => copyPostgres(unpacked, dir))
}

async function copyPostgres(from: string, to: string): Promise<void> {
  const [version = ''] = readdirSync(join(from, 'usr/lib/postgresql'))
  const home = join('usr/lib/postgresql', version)
  const share = join('usr/share/postgresql', version)
  for (const each of [join(home, 'bin'), join(home, 'lib'), share, 'usr/bin', 'etc'])
    mkdirSync(join(to, each), { recursive: true })
  const programs = [...SERVER, ...CLIENTS]
  for (const name of programs) {
    await copyBinary(join(from, home, 'bin', name), join(to, home, 'bin', name))
    symlinkSync(join('/', home, 'bin', name), join(to, 'usr/bin', name))
  }
  const modules = readdirSync(join(from, home, 'lib')).filter((name) => MODULES.test(name))
  for (const name of modules) copyFileSync(join(from, home, 'lib', name), join(to, home, 'lib', name))
  cpSync(join(from, share), join(to, share), {
    recursive: true,
    filter: (file) => !/\/(man|locale)$/.test(file),
  })
  await copyLibraries(
    from,
    to,
    programs.map((name) => join(home, 'bin', name)),
  )
  writeFileSync(
    join(to, 'etc/passwd'),
    `root:x:0:0::/:/bin/sh\npostgres:x:${POSTGRES_UID}:${POSTGRES_UID}::/tmp:/bin/sh\n`,
  )
  writeFileSync(join(to, 'etc/group'), `root:x:0:\npostgres:x:${POSTGRES_UID}:\n`)
  writeFileSync(join(to, 'usr/bin/start-postgres'), START)
  chmodSync(join(to, 'usr/bin/start-postgres'), 0o755)
}
