/** The input of inference: JSON Lines {id?, prompt, images?}; files of a folder in the order of their priority. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { ArgumentError, FormatError } from '../../errors';

export interface InferRow {
  id: string;
  prompt: string;
  images: string[];
}

/** Released order: these words in a file's name come first. */
export const PRIORITY_TERMS = ['visual_search', 'visual-search', 'geometry', 'visual_jigsaw', 'visual-jigsaw'];

/** Longer lines are errors: no prompt of use has as many characters. */
const LONGEST_LINE = 10_000_000;

/** str() of Python for what JSON has. */
const pythonText = (value: unknown): string =>
  value === null ? 'None' : value === true ? 'True' : value === false ? 'False' : typeof value === 'string' ? value : JSON.stringify(value); // prettier-ignore

/** The .jsonl files of a folder (not of its folders), or the one file. @throws ArgumentError */
export function inputFiles(input: string): string[] {
  const stat = fs.statSync(input, { throwIfNoEntry: false });
  if (stat?.isFile() && input.endsWith('.jsonl')) return [input];
  const names = stat?.isDirectory() ? fs.readdirSync(input).filter((name) => name.endsWith('.jsonl')).sort() : []; // prettier-ignore
  if (!names.length)
    throw new ArgumentError(input, 'expected a .jsonl file or a folder with some, got neither', 'check the path');
  return names.map((name) => path.join(input, name));
}

const plain = (name: string): string => name.toLowerCase().replace(/[_\-\s]+/g, ' ').trim(); // prettier-ignore

/** Files whose names have the first term, then the second, ...; each group and the rest by name. */
export function byPriority(files: readonly string[], terms: readonly string[] = PRIORITY_TERMS): string[] {
  const rankOf = (file: string): number => {
    const name = plain(path.basename(file, path.extname(file)));
    const rank = terms.findIndex((term) => name.includes(plain(term)));
    return rank < 0 ? terms.length : rank;
  };
  const order = (a: string, b: string): number => (path.basename(a) < path.basename(b) ? -1 : 1);
  return [...files].sort((a, b) => rankOf(a) - rankOf(b) || order(a, b));
}

/** One line. @throws FormatError */
function rowOf(line: string, index: number): InferRow {
  const help = 'a row is {"id": ..., "prompt": "...", "images": ["path", ...]}';
  if (line.length > LONGEST_LINE)
    throw new FormatError('row', `expected at most ${LONGEST_LINE} characters, got ${line.length}`, help);
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (error) {
    throw new FormatError('row', `expected JSON, got ${JSON.stringify(line.slice(0, 80))}`, help, { cause: error });
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    throw new FormatError('row', `expected an object, got ${JSON.stringify(row).slice(0, 80)}`, help);
  const { id = index, prompt, images = [] } = row as { id?: unknown; prompt?: unknown; images?: unknown };
  if (typeof prompt !== 'string')
    throw new FormatError('row', `expected a prompt, got ${prompt === undefined ? 'none' : JSON.stringify(prompt).slice(0, 80)}`, help); // prettier-ignore
  const paths = typeof images === 'string' ? [images] : images === null ? [] : images;
  if (!Array.isArray(paths) || paths.some((file) => typeof file !== 'string'))
    throw new FormatError('row', 'expected images as a list of paths, got something else', help);
  return { id: pythonText(id), prompt, images: (paths as string[]).filter(Boolean) };
}

/** All rows of a file in order, a damaged one as its error. Empty lines are no rows. */
export function readRows(file: string): (InferRow | Error)[] {
  const lines = fs.readFileSync(file, 'utf8').split(/\r?\n/).filter((line) => line.trim()); // prettier-ignore
  return lines.map((line, index) => {
    try {
      return rowOf(line, index);
    } catch (error) {
      return error as Error;
    }
  });
}
