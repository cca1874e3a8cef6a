/** The files of a reply: its media, and its charts. */
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import type { Reply } from '../agent';
import { ArgumentError, MissingPackageError } from '../errors';
import { writeFileAtomic } from '../io/atomic';
import { saveFigure } from '../report/render-figure';
import type { Figure } from '../report/figure';

/** Makes a folder where it is missing. @throws ArgumentError for one that cannot be written into */
export async function prepareFolder(folder: string, where = '--out'): Promise<void> {
  try {
    await fs.mkdir(folder, { recursive: true });
    await fs.access(folder, fs.constants.W_OK);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' || code === 'ENOTDIR' ? 'a file in its place' : (code ?? message);
    throw new ArgumentError(where, `expected a folder to write into, got ${why} (${folder})`, 'name another folder', {
      cause: error,
    });
  }
}

/** Writes them into a folder, their names beginning with `prefix`. Returns the paths. */
export async function saveReply(reply: Reply, folder: string, prefix = '', where = '--out'): Promise<string[]> {
  const charts = reply.toolCalls.filter((call) => call.ok && call.name === 'chart');
  if (reply.media.length || charts.length) await prepareFolder(folder, where);
  const files = await reply.saveAll(folder, prefix);
  for (const [i, call] of charts.entries()) {
    const name = `${prefix}chart-${i + 1}`;
    try {
      const { svg, png, json } = await saveFigure(folder, name, call.value as Figure);
      files.push(svg, png, json);
    } catch (error) {
      // What draws figures is optional; a figure that cannot be drawn is still its data.
      if (!(error instanceof MissingPackageError || error instanceof ArgumentError)) throw error;
      const file = path.join(folder, `${name}.json`);
      await writeFileAtomic(file, JSON.stringify(call.value) + '\n');
      files.push(file);
    }
  }
  return files;
}
