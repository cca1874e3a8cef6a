/**
 * Files and folders that are either there whole or not there at all: written under a temporary name beside their place,
 * flushed to the disk, then renamed. Also the hash of a file, read piece by piece.
 */
import { createHash, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';

/** A hidden name beside `target`, told apart from those of other processes and calls. */
function temporaryName(target: string): string {
  return path.join(
    path.dirname(target),
    `.${path.basename(target)}.tmp-${process.pid}-${randomBytes(4).toString('hex')}`,
  );
}

/** True of names that an interrupted write may leave behind. */
export const isTemporaryName = (name: string): boolean => /^\..+\.(tmp|old)-\d+-[0-9a-f]{8}$/.test(name);

/** Makes a rename last over a power cut. Windows cannot open folders, and needs no such step. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await fs.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes a file through `write`, which gets the open temporary file. The folder is made where it is missing. If `write`
 * throws, an existing file at `target` stays as it was.
 */
export async function writeAtomic(target: string, write: (file: fs.FileHandle) => Promise<void>): Promise<void> {
  await fs.mkdir(path.dirname(target), { recursive: true });
  const temporary = temporaryName(target);
  const file = await fs.open(temporary, 'wx');
  try {
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, target);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(target));
}

/** Writes a whole file of known content. */
export function writeFileAtomic(target: string, content: string | Uint8Array): Promise<void> {
  return writeAtomic(target, (file) => file.writeFile(content));
}

/**
 * Makes a folder: `fill` writes files into a temporary one, which then takes the place of `target` (and of a folder
 * that was there). Files made by `fill` at its top level are flushed to the disk before the rename.
 */
export async function writeFolderAtomic(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  await fs.mkdir(path.dirname(target), { recursive: true });
  const temporary = temporaryName(target);
  await fs.mkdir(temporary);
  try {
    await fill(temporary);
    for (const entry of await fs.readdir(temporary, { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = await fs.open(path.join(temporary, entry.name), 'r+');
      await file.sync().finally(() => file.close());
    }
    await syncFolder(temporary);
    // A folder cannot be renamed over one that has files, so the old one steps aside first.
    const old = temporary.replace('.tmp-', '.old-');
    const had = await fs.rename(target, old).then(
      () => true,
      () => false,
    );
    await fs.rename(temporary, target);
    if (had) await fs.rm(old, { recursive: true, force: true });
  } catch (error) {
    await fs.rm(temporary, { recursive: true, force: true });
    throw error;
  }
  await syncFolder(path.dirname(target));
}

/** SHA-256 (hex) and size of a file. */
export async function hashFile(file: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  const handle = await fs.open(file, 'r');
  try {
    const buffer = Buffer.allocUnsafe(1 << 20);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (!bytesRead) return { bytes, sha256: hash.digest('hex') };
      bytes += bytesRead;
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}
