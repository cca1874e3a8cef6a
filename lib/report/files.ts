/** Where tables and figures go on disk. */
import path from 'node:path';
import { ArgumentError } from '../errors';
import { writeFileAtomic } from '../io/atomic';

/**
 * Writes several files of one result into `dir`, each whole or not at all, named `name` with the endings that are the
 * keys of `contents`. Returns their paths in the order given. Throws ArgumentError for a name with a folder or an
 * ending.
 */
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
