/**
 * The benchmark's rows: Parquet files as prompts with pictures, with the released script's columns and rules.
 *
 * Differences: 1. what that script leaves out without a word (a question that is empty or no text, a file without the
 * columns, placeholders that do not fit) comes out as a row with an error and the index -1, which no row of its has;
 * 2. so does a picture that cannot be read, with its row's own index, unless `badImages` is "drop"; 3. a picture that is cut
 * off cannot be read, where Pillow is told to fill it up.
 */
import * as path from 'node:path';
import { ArgumentError, FormatError } from '../../errors';
import { TEMPLATE_PREFIX, TEMPLATE_SUFFIX } from '../../generate/omni-r1/prompt';
import type { Picture } from '../../io/media';
import { openParquet } from '../../io/parquet';
import type { ParquetFile, ParquetRow } from '../../io/parquet';
import { readPictures } from './image-cell';
import { jsonCell } from './json-cell';
import { alignPlaceholders } from './placeholders';

export interface RowOptions {
  questionCol: string;
  imageCol: string;
  answerCol: string;
  /** A cell that says that the picture was taken out. */
  tltsToken: string;
  skipIfNoImage: boolean;
  /** The question alone, without the template around it. */
  plainPrompt: boolean;
  /** Other words of the template. */
  prefixText?: string;
  suffixText?: string;
  autoInsert: boolean;
  autoRemove: boolean;
  /** "error": a picture that cannot be read makes its row an error; "drop" (as released): it counts as missing. */
  badImages: 'error' | 'drop';
  /** Longer questions (in characters) are errors. */
  maxQuestion?: number;
}

/** Which row it is, and its other columns. */
export interface RowHead {
  /** Over all files, from 0; -1 for rows that the released script would leave out. */
  index: number;
  /** The file, relative to the folder that was named. */
  source: string;
  /** The file's name. */
  dataset: string;
  local_index: number;
  /** All columns but the picture, and the right answer as _gt_answer. */
  raw: Record<string, unknown>;
}

export type BenchRow = RowHead & ({ prompt: string; pictures: Picture[] } | { error: Error });

/** A file that could not be opened, or rows of one that could not be read; its others come out. */
export interface LostFile {
  lost: { file: string; error: Error };
}

const LONGEST_QUESTION = 1_000_000;

/** How many rows the files have, and what is wrong with files that cannot be opened. */
export async function countRows(files: readonly string[]): Promise<number> {
  let rows = 0;
  for (const file of files) {
    const opened = await openParquet(file).catch(() => undefined);
    rows += opened?.rows ?? 0;
    await opened?.close();
  }
  return rows;
}

function rawOf(row: ParquetRow, { imageCol, answerCol }: RowOptions): Record<string, unknown> {
  const drop = imageCol.toLowerCase();
  const kept = Object.entries(row).filter(([name]) => name.toLowerCase() !== drop);
  const raw = Object.fromEntries(kept.map(([name, value]) => [name, jsonCell(value)]));
  if (answerCol in row) raw._gt_answer = jsonCell(row[answerCol]);
  return raw;
}

/** The row's question, trimmed. @throws FormatError */
function questionOf(row: ParquetRow, { questionCol, maxQuestion = LONGEST_QUESTION }: RowOptions): string {
  const question = row[questionCol];
  const where = `column ${questionCol}`;
  if (typeof question !== 'string' || !question.trim())
    throw new FormatError(where, `expected a question, got ${typeof question === 'string' ? 'an empty text' : question === null ? 'nothing' : typeof question}`, 'every row has its question as text'); // prettier-ignore
  if (question.length > maxQuestion)
    throw new FormatError(
      where,
      `expected at most ${maxQuestion} characters, got ${question.length}`,
      'no model reads as much',
    );
  return question.trim();
}

/** One row; undefined if it is left out for its missing picture. `wanted` says by index which rows are to be read whole. */
async function prepare(
  row: ParquetRow,
  head: RowHead,
  options: RowOptions,
  folder: string,
  wanted: (index: number) => boolean,
): Promise<BenchRow | undefined> {
  const refuse = (error: Error): BenchRow => ({ ...head, index: -1, error });
  let question: string;
  try {
    question = questionOf(row, options);
  } catch (error) {
    return refuse(error as Error);
  }
  const cell = { absent: options.tltsToken, folder };
  // Whether the row counts may hang on its pictures; otherwise they are read only for a row that is wanted.
  const mustRead = options.skipIfNoImage || !options.autoRemove || wanted(head.index);
  if (!mustRead) return { ...head, prompt: '', pictures: [] };
  const { pictures, errors } = await readPictures(row[options.imageCol], cell);
  if (options.skipIfNoImage && !pictures.length) return undefined;
  if (errors.length && options.badImages === 'error') return { ...head, error: errors[0] };
  const { autoInsert: insert, autoRemove: remove } = options;
  const aligned = alignPlaceholders(question, pictures.length, { insert, remove });
  if (!aligned)
    return refuse(
      new ArgumentError('placeholders', `expected as many <image> as pictures, got more than ${pictures.length}`, 'leave --no_auto_remove away'), // prettier-ignore
    );
  const { plainPrompt, prefixText = TEMPLATE_PREFIX, suffixText = TEMPLATE_SUFFIX } = options;
  const prompt = plainPrompt ? aligned.text : prefixText + aligned.text + suffixText;
  return { ...head, prompt, pictures: pictures.slice(0, aligned.pictures) };
}

/**
 * All rows in order, those that are not `wanted` without their pictures; and the files that could not be read, which does
 * not end the others. `root` is the file or folder that was named.
 */
export async function* benchRows(
  files: readonly string[],
  root: string,
  options: RowOptions,
  wanted: (index: number) => boolean = () => true,
): AsyncGenerator<BenchRow | LostFile> {
  let index = 0;
  for (const file of files) {
    let parquet: ParquetFile;
    try {
      parquet = await openParquet(file);
    } catch (error) {
      yield { lost: { file, error: error as Error } };
      continue;
    }
    const source = (file === root ? path.basename(file) : path.relative(root, file)).split(path.sep).join('/');
    const missing = [options.questionCol, options.imageCol].filter((name) => !parquet.columns.includes(name));
    try {
      let local = 0;
      const lost: FormatError[] = [];
      const skip = (rows: number, error: FormatError): void => {
        local += rows;
        lost.push(error);
      };
      for await (const row of parquet.read(skip)) {
        const head: RowHead = {
          index,
          source,
          dataset: path.basename(file),
          local_index: local++,
          raw: rawOf(row, options),
        };
        if (missing.length) {
          const error = new FormatError(source, `expected columns ${missing.join(' and ')}, got ${parquet.columns.join(', ')}`, 'name them: --question_col, --image_col'); // prettier-ignore
          yield { ...head, index: -1, error };
          continue;
        }
        const prepared = await prepare(row, head, options, path.dirname(file), wanted);
        if (!prepared) continue;
        if (prepared.index >= 0) index++;
        yield prepared;
      }
      for (const error of lost) yield { lost: { file, error } };
    } catch (error) {
      yield { lost: { file, error: error as Error } };
    } finally {
      await parquet.close();
    }
  }
}
