/*
 * Connects the user's terminal with a shell in the helper VM: `<socket> <command>`. The VM runs one command at a time, which it gets as
 * a line, with a terminal of its own, and says at the end with which code it ended. Imports nothing but Node.
 */
import { connect } from 'node:net';

const END = '\u001Eingot-exit ';
const [path, command] = process.argv.slice(2);
if (path === undefined || command === undefined) throw new Error('usage: shell-program SOCKET COMMAND');

const { stdin, stdout } = process;
const socket = connect(path);
let held = '';
let code = 1;

socket.on('connect', () => {
  // The terminal in the VM has no size of its own; it is told this one's.
  socket.write(`stty rows ${stdout.rows ?? 24} cols ${stdout.columns ?? 80} 2>/dev/null; ${command}\n`);
  if (stdin.isTTY) stdin.setRawMode(true);
  stdin.pipe(socket, { end: false });
});
socket.setEncoding('latin1');
socket.on('data', (data) => {
  held += String(data);
  const end = held.indexOf(END[0] ?? '');
  if (end === -1) {
    stdout.write(Buffer.from(held, 'latin1'));
    held = '';
    return;
  }
  stdout.write(Buffer.from(held.slice(0, end), 'latin1'));
  held = held.slice(end);
  const match = new RegExp(`^${END}(\\d+)\\r?\\n`).exec(held);
  if (match !== null) {
    code = Number(match[1]);
    socket.destroy();
  } else if (!held.startsWith(END.slice(0, held.length)) && !END.startsWith(held.slice(0, END.length))) {
    // The mark's first byte can be a program's own output.
    stdout.write(Buffer.from(held, 'latin1'));
    held = '';
  }
});
socket.on('error', (error) => process.stderr.write(`The helper VM cannot be reached: ${error.message}\n`));
socket.on('close', () => {
  if (stdin.isTTY) stdin.setRawMode(false);
  process.exit(code);
});
