/** nginx from Debian's package, laid out like the official image: what is at /usr/share/nginx/html is served on port 80. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fillProgram } from './libraries.ts'

const CONFIG = `user root root;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr notice;
events { worker_connections 1024; }
http {
  types { text/html html; }
  default_type application/octet-stream;
  access_log /dev/stdout;
  server {
    listen 80;
    location / { root /usr/share/nginx/html; index index.html; }
  }
}
`

/** Fills an image's layer; the base image is below it. */
export async function fillNginx(dir: string): Promise<void> {
  await fillProgram(dir, 'nginx', 'usr/sbin/nginx')
  for (const each of ['etc/nginx', 'run', 'usr/share/nginx/html', 'var/lib/nginx', 'var/log/nginx'])
    mkdirSync(join(dir, each), { recursive: true })
  writeFileSync(join(dir, 'etc/nginx/nginx.conf'), CONFIG)
}
