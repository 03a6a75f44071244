import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';

/*
 * Stands for QEMU where a test is about starting and ending it: serves a monitor, writes its pid file, and takes its time with a
 * shutdown. Called as: node fake-qemu.ts SOCKET MODE -pidfile FILE. Modes: `good` shuts down when asked, `deaf` does not, `fails` says why.
 */
const [, , socketPath = '', mode = 'good', , pidFile = ''] = process.argv;

if (mode === 'fails') {
  process.stderr.write('qemu-system-x86_64: -accel kvm: failed to initialize kvm: Permission denied\n');
  process.exit(1);
}
writeFileSync(pidFile, `${process.pid}\n`);
createServer((socket) => {
  socket.on('error', () => undefined);
  socket.write('{"QMP":{"version":{"qemu":{"major":7,"minor":2,"micro":0}},"capabilities":[]}}\n');
  socket.on('data', (data) => {
    for (const line of String(data).trim().split('\n')) {
      const { execute, id }: { execute: string; id: number } = JSON.parse(line);
      // The monitor for people answers in words, and with none where all went well.
      socket.write(`${JSON.stringify({ return: execute === 'human-monitor-command' ? '' : {}, id })}\n`);
      if (execute === 'system_powerdown' && mode === 'good') {
        setTimeout(() => {
          rmSync(pidFile);
          process.exit(0);
        }, 50);
      }
    }
  });
}).listen(socketPath);
