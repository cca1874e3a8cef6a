/** Folders that share their files' bytes. */
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { FormatError } from '../errors';
import { writeFolderAtomic } from './atomic';

async function link(from: string, to: string): Promise<void> {
  try {
    await fs.link(from, to);
  } catch {
    // Another file system, or one without links.
    await fs.copyFile(from, to);
  }
}

async function linkInto(from: string, to: string): Promise<void> {
  for (const entry of await fs.readdir(from, { withFileTypes: true })) {
    const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
    if (entry.isDirectory()) {
      await fs.mkdir(target, { recursive: true });
      await linkInto(source, target);
    } else if (entry.isFile()) await link(source, target);
  }
}

/**
 * Makes `to` a copy of the folder `from` by hard links where the system has them, so that it takes no room and outlives the
 * original. Files here are replaced, never changed in place, so the two stay independent. An existing `to` is replaced.
 */
export async function linkFolder(from: string, to: string): Promise<void> {
  const found = await fs.stat(from).catch(() => null);
  if (!found?.isDirectory())
    throw new FormatError(from, 'expected a folder, found none', 'check the path, or make it again');
  await writeFolderAtomic(to, (folder) => linkInto(from, folder));
}
