/** The benchmark's rows against what the released script makes of the same files (tests/goldens/omni_bench.py). */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { benchRows } from '../../lib/eval/omni-bench';
import type { BenchRow, LostFile, RowOptions } from '../../lib/eval/omni-bench';
import { readPictures } from '../../lib/eval/omni-bench/image-cell';
import { jsonCell } from '../../lib/eval/omni-bench/json-cell';
import { alignPlaceholders } from '../../lib/eval/omni-bench/placeholders';
import { findParquet, openParquet } from '../../lib/io/parquet';
import type { Picture } from '../../lib/io';

const folder = path.join(process.cwd(), 'tests/goldens/data/omni-bench');
const standard: RowOptions = {
  questionCol: 'question',
  imageCol: 'image',
  answerCol: 'answer',
  tltsToken: '<TLTS>',
  skipIfNoImage: false,
  plainPrompt: false,
  autoInsert: true,
  autoRemove: true,
  badImages: 'drop',
};
const SETS: Record<string, Partial<RowOptions>> = {
  '': {},
  skip: { skipIfNoImage: true },
  plain: { plainPrompt: true },
  'no-insert': { autoInsert: false },
  'no-remove': { autoRemove: false },
};

interface Expected {
  file: string;
  options: string;
  rows: { index: number; source: string; local_index: number; prompt: string; pictures: number[][]; raw?: unknown }[];
}
const expected = readFileSync(path.join(folder, 'expected.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line.replaceAll(': NaN', ': null')) as Expected);

async function rowsOf(place: string, options: Partial<RowOptions> = {}): Promise<(BenchRow | LostFile)[]> {
  const out: (BenchRow | LostFile)[] = [];
  const files = await findParquet(place);
  for await (const row of benchRows(files, place, { ...standard, ...options })) out.push(row);
  return out;
}
const isError = (row: BenchRow | LostFile): row is Extract<BenchRow, { error: Error }> => 'error' in row;

/** Width, height and the mean of each channel, 0 to 255. */
function summary({ width, height, data }: Picture): number[] {
  const size = width * height;
  const mean = (c: number): number => (data.subarray(c * size, (c + 1) * size).reduce((a, b) => a + b, 0) / size) * 255;
  return [width, height, mean(0), mean(1), mean(2)];
}

/** JPEG decoders may round another way; PNGs are equal. */
function assertPictures(found: readonly Picture[], wanted: number[][], what: string): void {
  assert.equal(found.length, wanted.length, what);
  found.forEach(
    (picture, i) =>
    summary(picture).forEach((value, k) => assert.ok(Math.abs(value - wanted[i][k]) < 1, `${what}: ${value} for ${wanted[i][k]}`)), // prettier-ignore
  );
}

/** What the released script loses in these files and this project reads: lists, arrays, and broken bytes beside a path. */
const MORE = ['list.parquet', 'structs.parquet', 'array.parquet'];

describe('rows of the benchmark', () => {
  for (const { file, options, rows } of expected.filter(({ file }) => file !== '.'))
    it(`${file}.parquet ${options}: prompts, pictures, indices and other columns as released`, async () => {
      const all = await rowsOf(path.join(folder, `${file}.parquet`), SETS[options]);
      const found = all.filter((row) => !('lost' in row) && row.index >= 0) as Extract<BenchRow, { prompt: string }>[];
      assert.deepEqual(
        found.map(({ index, local_index, prompt }) => ({ index, local_index, prompt })),
        rows.map(({ index, local_index, prompt }) => ({ index, local_index, prompt })),
      );
      found.forEach((row, i) => assertPictures(row.pictures, rows[i].pictures, `${file} ${row.local_index}`));
      if (!options) assert.deepEqual(found.map(({ raw }) => raw), rows.map(({ raw }) => raw)); // prettier-ignore
    });

  it('a folder: files in order, damaged ones named, nothing else lost', async () => {
    const wanted = expected.find(({ file }) => file === '.')!.rows;
    const all = await rowsOf(folder);
    const lost = all.filter((row) => 'lost' in row).map((row) => path.basename(row.lost.file));
    assert.deepEqual(lost, ['cut-off.parquet']);
    const found = all.filter((row): row is BenchRow => !('lost' in row) && row.index >= 0);
    assert.deepEqual(
      found.map(({ index, source, local_index }) => [index, source, local_index]),
      wanted.map(({ index, source, local_index }) => [index, source, local_index]),
    );
    const same = found.filter(({ source }) => !MORE.includes(source)) as Extract<BenchRow, { prompt: string }>[];
    for (const row of same) assert.equal(row.prompt, wanted[row.index].prompt);
  });

  it('lists, lists of objects and arrays of pixels are pictures', async () => {
    const counts = async (name: string): Promise<number[]> =>
      (await rowsOf(path.join(folder, name))).map((row) => ('pictures' in row ? row.pictures.length : -1));
    assert.deepEqual(await counts('list.parquet'), [2, 1, 0, 0, 1, 1]);
    assert.deepEqual(await counts('structs.parquet'), [2, 0]);
    assert.deepEqual(await counts('array.parquet'), [1, 1]);
    const [colour, grey] = (await rowsOf(path.join(folder, 'array.parquet'))) as Extract<
      BenchRow,
      { prompt: string }
    >[];
    assert.deepEqual([colour.pictures[0].width, colour.pictures[0].height], [9, 7]);
    assert.deepEqual(grey.pictures[0].data.slice(0, 63), grey.pictures[0].data.slice(63, 126));
    const [two] = (await rowsOf(path.join(folder, 'list.parquet'))) as Extract<BenchRow, { prompt: string }>[];
    assert.ok(two.prompt.includes('User: <image> or not? <image> Think'));
  });

  it('damaged pictures, questions and columns are errors of their rows', async () => {
    const errors = (await rowsOf(path.join(folder, 'text.parquet'), { badImages: 'error' })).filter(isError);
    assert.deepEqual(errors.map(({ local_index, index }) => [local_index, index]), [[9, 9], [10, 10], [11, 11]]); // prettier-ignore
    for (const { error } of errors) assert.match(error.message, /expected .*, got /);
    const questions = await rowsOf(path.join(folder, 'questions.parquet'));
    assert.deepEqual(questions.map((row) => (row as BenchRow).index), [-1, -1, -1, 0]); // prettier-ignore
    const columns = await rowsOf(path.join(folder, 'named.parquet'));
    assert.match((columns[0] as Extract<BenchRow, { error: Error }>).error.message, /columns question and image, got frage, bild, antwort/); // prettier-ignore
    const named = await rowsOf(path.join(folder, 'named.parquet'), { questionCol: 'frage', imageCol: 'bild', answerCol: 'antwort' }); // prettier-ignore
    assert.deepEqual((named[0] as BenchRow).raw, { frage: 'Was?', antwort: 'das', _gt_answer: 'das' });
    const long = await rowsOf(path.join(folder, 'text.parquet'), { maxQuestion: 12 });
    assert.match((long[1] as Extract<BenchRow, { error: Error }>).error.message, /at most 12 characters, got 13/);
  });

  it('a damaged row group costs its own rows', async () => {
    const bytes = readFileSync(path.join(folder, 'text.parquet'));
    // Inside the second of three groups, rows 5 to 9.
    bytes.fill(0x5a, 3740, 4200);
    const dir = mkdtempSync(path.join(os.tmpdir(), 'parquet-'));
    try {
      const file = path.join(dir, 'text.parquet');
      writeFileSync(file, bytes);
      const rows = await rowsOf(file);
      const local = rows.flatMap((row) => ('lost' in row ? [] : [row.local_index]));
      assert.deepEqual(local, [0, 1, 2, 3, 4, 10, 11]);
      const lost = rows.flatMap((row) => ('lost' in row ? [row.lost.error.message] : []));
      assert.match(lost.join(), /^[^,]*text\.parquet: expected a Parquet file, got: rows 5 to 9 that cannot be read/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  it('only wanted rows have their pictures read, and indices do not move', async () => {
    const rows: BenchRow[] = [];
    const file = path.join(folder, 'text.parquet');
    for await (const row of benchRows([file], file, standard, (index) => index === 3)) rows.push(row as BenchRow);
    assert.deepEqual(rows.map(({ index }) => index), rows.map((_, i) => i)); // prettier-ignore
    assert.deepEqual(rows.map((row) => 'pictures' in row && row.pictures.length), rows.map((_, i) => (i === 3 ? 1 : 0))); // prettier-ignore
  });

  it('columns are those of the table, without the index of pandas', async () => {
    const file = await openParquet(path.join(folder, 'pandas.parquet'));
    assert.deepEqual(file.columns, ['question', 'image', 'answer', 'number']);
    await file.close();
    await assert.rejects(findParquet(path.join(folder, 'pictures')), /expected Parquet files in the folder, got none/);
    await assert.rejects(findParquet('no/such'), /no such path/);
    await assert.rejects(openParquet(path.join(folder, 'pictures/one.png')), /expected a Parquet file/);
  });

  it('placeholders', () => {
    assert.deepEqual(alignPlaceholders('x', 2), { text: '<image>x <image>', pictures: 2 });
    assert.deepEqual(alignPlaceholders('a <image> b <image> c <image>d', 1), { text: 'a <image> b  c d', pictures: 1 });
    assert.equal(alignPlaceholders('<image><image>', 1, { remove: false }), undefined);
    assert.deepEqual(alignPlaceholders('<image> x', 3, { insert: false }), { text: '<image> x', pictures: 1 });
  });

  it('other cells: big integers, dates, bytes', () => {
    const cells = [2n ** 70n, 5n, new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 6)), Uint8Array.of(39, 34, 9), NaN, undefined];
    assert.deepEqual(cells.map(jsonCell), ['1180591620717411303424', 5, '2026-01-02 03:04:05.006000', 'b\'\\\'"\\t\'', null, null]); // prettier-ignore
  });

  it('cells that are no pictures say why', async () => {
    for (const cell of [{ bytes: null, path: null }, 5, [[[[[1]]]]], [[1, 2], [3]], 'data:image/png;base64', true])
      assert.equal((await readPictures(cell)).errors.length, 1, JSON.stringify(cell));
    assert.deepEqual(await readPictures([null, '<TLTS>', '']), { pictures: [], errors: [] });
  });
});
