import { join } from 'node:path';
import { realHost } from '../src/base/host.ts';

/** An nginx of the bench's own that serves `www` of a folder at a port of 127.0.0.1, until it is disposed. */
export async function startNginx(folder: string, { port, sendfile }: { readonly port: number; readonly sendfile: 'on' | 'off' }): Promise<AsyncDisposable> {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
  const config = [
    `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log ${folder}/error.log; ${process.getuid?.() === 0 ? 'user root;' : ''}`,
    'events { worker_connections 64; }',
    `http { access_log off; sendfile ${sendfile}; ${temporary} server { listen 127.0.0.1:${port}; root ${folder}/www; } }`,
  ];
  const host = realHost();
  const path = join(folder, 'nginx.conf');
  await host.files.write(path, `${config.join('\n')}\n`);
  const server = host.processes.spawn(['nginx', '-e', `${folder}/error.log`, '-c', path], { stderr: 'inherit' });
  return {
    async [Symbol.asyncDispose]() {
      server.kill('SIGTERM');
      await server.ended;
    },
  };
}
