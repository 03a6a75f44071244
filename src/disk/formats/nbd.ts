import { connect, type Socket } from 'node:net';
import { IngotError } from '../../base/errors.ts';

/*
 * A client of the NBD protocol that only reads (NetworkBlockDevice/nbd, doc/proto.md: fixed newstyle handshake, simple replies), over a socket of this host.
 */

const MAGIC = Buffer.from('NBDMAGICIHAVEOPT', 'latin1');
const GREETING = 18;
/** Fixed newstyle, and no 124 zeros after the handshake. */
const CLIENT_FLAGS = 3;
const OPTION_EXPORT_NAME = 1;
const EXPORT = 10;
const REQUEST = 0x2560_9513;
const REPLY = 0x6744_6698;
const REPLY_HEAD = 16;
const COMMAND = { read: 0, disconnect: 2 } as const;

interface Pending {
  readonly data: Buffer;
  filled: number;
  readonly resolve: (data: Buffer) => void;
  readonly reject: (error: unknown) => void;
}

/** What a server of block devices serves. Any number of reads can be under way. */
export class NbdClient {
  readonly size: number;
  readonly #socket: Socket;
  readonly #pending = new Map<bigint, Pending>();
  #next = 0n;
  #head = Buffer.alloc(0);
  #current: Pending | undefined;
  #failure: unknown;

  private constructor(socket: Socket, size: number, rest: Buffer) {
    this.#socket = socket;
    this.size = size;
    socket.on('data', (data: Buffer) => this.#receive(data));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(lost('the server closed the connection')));
    if (rest.length > 0) this.#receive(rest);
    socket.resume();
  }

  /** Connects to a server's default export; throws `disk-lost`, and the system's error where nobody listens yet. */
  static async connect(path: string): Promise<NbdClient> {
    const socket = connect({ path });
    const { promise, resolve, reject } = Promise.withResolvers<NbdClient>();
    let bytes = Buffer.alloc(0);
    let greeted = false;
    const onData = (data: Buffer): void => {
      bytes = Buffer.concat([bytes, data]);
      if (!greeted && bytes.length >= GREETING) {
        if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) return void reject(lost('what answers is no server of block devices'));
        greeted = true;
        bytes = bytes.subarray(GREETING);
        const option = Buffer.alloc(20);
        option.writeUInt32BE(CLIENT_FLAGS, 0);
        option.write('IHAVEOPT', 4, 'latin1');
        option.writeUInt32BE(OPTION_EXPORT_NAME, 12);
        socket.write(option);
      }
      if (greeted && bytes.length >= EXPORT) {
        socket.off('data', onData).pause();
        resolve(new NbdClient(socket, Number(bytes.readBigUInt64BE(0)), bytes.subarray(EXPORT)));
      }
    };
    const onClose = (): void => reject(lost('the server closed the connection'));
    socket.on('data', onData).on('error', reject).on('close', onClose);
    try {
      return await promise;
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      socket.off('error', reject).off('close', onClose);
    }
  }

  /** Reads bytes; throws `disk-lost` where the server fails or is gone. */
  read(position: number, length: number): Promise<Buffer> {
    if (this.#failure !== undefined) return Promise.reject(lost(String(this.#failure), this.#failure));
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const id = (this.#next += 1n);
    this.#pending.set(id, { data: Buffer.allocUnsafe(length), filled: 0, resolve, reject });
    this.#socket.write(request(COMMAND.read, id, position, length));
    return promise;
  }

  /** Ends the connection. */
  close(): void {
    this.#failure ??= lost('it was closed');
    this.#socket.end(request(COMMAND.disconnect, 0n, 0, 0));
    this.#socket.destroySoon();
  }

  #receive(data: Buffer): void {
    for (let at = 0; at < data.length;) {
      if (this.#current === undefined) {
        const missing = REPLY_HEAD - this.#head.length;
        this.#head = Buffer.concat([this.#head, data.subarray(at, at + missing)]);
        at += missing;
        if (this.#head.length < REPLY_HEAD) return;
        this.#current = this.#reply(this.#head);
        this.#head = Buffer.alloc(0);
        continue;
      }
      const { data: target, filled } = this.#current;
      const copied = data.copy(target, filled, at);
      at += copied;
      this.#current.filled += copied;
      if (this.#current.filled === target.length) {
        this.#current.resolve(target);
        this.#current = undefined;
      }
    }
  }

  /** The read that a reply is about, of which data follows; none where the server reports an error. */
  #reply(head: Buffer): Pending | undefined {
    const id = head.readBigUInt64BE(8);
    const pending = this.#pending.get(id);
    if (head.readUInt32BE(0) !== REPLY || pending === undefined) {
      this.#fail(lost('the server does not keep to the protocol'));
      this.#socket.destroy();
      return undefined;
    }
    this.#pending.delete(id);
    const code = head.readUInt32BE(4);
    if (code === 0) return pending;
    pending.reject(lost(`reading failed with error ${code}`));
    return undefined;
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    this.#current?.reject(error);
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

function request(command: number, id: bigint, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt32BE(REQUEST, 0);
  bytes.writeUInt16BE(command, 6);
  bytes.writeBigUInt64BE(id, 8);
  bytes.writeBigUInt64BE(BigInt(position), 16);
  bytes.writeUInt32BE(length, 24);
  return bytes;
}

function lost(why: string, cause?: unknown): IngotError {
  return new IngotError('host', 'disk-lost', `The disk cannot be read any more: ${why}`, cause === undefined ? {} : { cause });
}
