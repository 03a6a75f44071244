import { randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';

/** Writes a file of so many MiB that nothing compresses. */
export async function writeRandomFile(path: string, mebibytes: number): Promise<void> {
  await using out = await open(path, 'w');
  for (let i = 0; i < mebibytes; i++) await out.write(randomBytes(2 ** 20));
}
