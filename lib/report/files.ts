/** Writes a file whole or not at all: to a temporary name in the same folder, then renamed over the old one. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ArgumentError } from '../errors';

/** Writes `content` to `file`, making its folder; the old file stays as it was if anything fails. */
export async function writeFileAtomic(file: string, content: string | Uint8Array): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  const temporary = `${file}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    await writeFile(temporary, content);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Writes several files of one result, each atomically, and returns their paths in the order given. */
export async function writeFiles(
  where: string,
  dir: string,
  name: string,
  contents: Record<string, string | Uint8Array>,
): Promise<string[]> {
  if (!/^[\w.-]+$/.test(name) || name.startsWith('.')) {
    throw new ArgumentError(
      where,
      `expected a plain file name without folder or ending, got ${JSON.stringify(name)}`,
      'use letters, digits, "_", "-" and "."; give the folder as dir',
    );
  }
  const paths: string[] = [];
  for (const [ending, content] of Object.entries(contents)) {
    const file = path.join(dir, `${name}.${ending}`);
    await writeFileAtomic(file, content);
    paths.push(file);
  }
  return paths;
}
