/** Data sets as files: same arguments, same bytes; what an interrupted run has done is kept, what was damaged is made again. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { SetWriter } from '../../data-scripts/_write-sets';
import type { DataSet } from '../../data-scripts/_write-sets';
import { hashFile, readAllJsonl } from '../../lib/io';
import {
  loadMedium,
  makePair,
  makeSignalCaption,
  objectsCode,
  pairSchema,
  perceive,
  signalCaptionSchema,
} from '../../lib/world';
import type { PairRecord, SignalCaptionRecord } from '../../lib/world';

const COUNT = 4;

const pairs = (records?: () => Iterable<PairRecord>): DataSet<PairRecord> => ({
  name: 'pairs.test',
  schema: pairSchema,
  total: COUNT,
  records: records ?? (() => Array.from({ length: COUNT }, (_, i) => makePair(3, 'test', i))),
  media: true,
});

const signals: DataSet<SignalCaptionRecord> = {
  name: 'signal_captions.test',
  schema: signalCaptionSchema,
  total: COUNT,
  records: () => Array.from({ length: COUNT }, (_, i) => makeSignalCaption(3, 'test', i)),
};

async function allFiles(folder: string): Promise<Record<string, string>> {
  const names = (fs.readdirSync(folder, { recursive: true }) as string[]).sort();
  const files = names.filter((name) => fs.statSync(path.join(folder, name)).isFile());
  const entries = await Promise.all(
    files.map(async (f) => [f, (await hashFile(path.join(folder, f))).sha256] as const),
  );
  return Object.fromEntries(entries);
}

async function writeAll(out: string, media = true, seed = 3): Promise<boolean[]> {
  const writer = new SetWriter(out, { seed, media }, media);
  await writer.open();
  const written = [await writer.write(pairs()), await writer.write(signals)];
  await writer.save({ vocabulary: 7 }, true);
  return written;
}

describe('data scripts: sets of records', function () {
  let folder: string;
  beforeEach(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sets-'))));
  afterEach(() => fs.rmSync(folder, { recursive: true }));

  it('writes the same bytes twice, and files that show what their records say', async () => {
    const [a, b] = [path.join(folder, 'a'), path.join(folder, 'b')];
    assert.deepEqual(await writeAll(a), [true, true]);
    await writeAll(b);
    const files = await allFiles(a);
    assert.deepEqual(await allFiles(b), files);
    assert.equal(Object.keys(files).length, 3 * COUNT + 3);
    for (const record of await readAllJsonl(path.join(a, 'pairs.test.jsonl'), pairSchema))
      for (const modality of ['image', 'audio', 'video'] as const) {
        const medium = record.media[modality];
        assert.ok(medium.file?.startsWith(`media/pairs.test/${modality}/`));
        const found = perceive(await loadMedium(modality, medium, a));
        const motion = modality === 'video';
        assert.equal(objectsCode(found, motion), objectsCode(medium.scene.objects, motion), medium.file);
      }
  });

  it('goes on after a stop: finished sets stay, unfinished ones leave nothing and are made', async () => {
    const whole = path.join(folder, 'whole');
    await writeAll(whole);
    const out = path.join(folder, 'out');
    const stopped = new SetWriter(out, { seed: 3, media: true }, true);
    await stopped.open();
    await stopped.write(signals);
    const breaking = function* (): Generator<PairRecord> {
      yield makePair(3, 'test', 0);
      throw new Error('power cut');
    };
    await assert.rejects(stopped.write(pairs(breaking)), /power cut/);
    assert.deepEqual(Object.keys(await allFiles(out)).sort(), ['manifest.json', 'signal_captions.test.jsonl']);
    // A killed process could not even clear away.
    fs.mkdirSync(path.join(out, 'media', '.pairs.test.tmp-1-0123abcd'), { recursive: true });
    const written = await writeAll(out);
    assert.deepEqual(written, [true, false]);
    assert.deepEqual(await allFiles(out), await allFiles(whole));
    assert.deepEqual(await writeAll(out), [false, false]);
  });

  it('makes again what was damaged, and everything when an argument changes', async () => {
    await writeAll(folder);
    const before = await allFiles(folder);
    fs.appendFileSync(path.join(folder, 'pairs.test.jsonl'), 'x');
    assert.deepEqual(await writeAll(folder), [true, false]);
    fs.rmSync(path.join(folder, 'media', 'pairs.test', 'audio', 'pair-test-2.wav'));
    assert.deepEqual(await writeAll(folder), [true, false]);
    assert.deepEqual(await allFiles(folder), before);
    assert.deepEqual(await writeAll(folder, true, 4), [true, true]);
  });

  it('writes scenes alone where media are not wanted; loaders render them', async () => {
    await writeAll(folder, false);
    const [record] = await readAllJsonl(path.join(folder, 'pairs.test.jsonl'), pairSchema);
    assert.equal(record.media.image.file, undefined);
    assert.ok(!fs.existsSync(path.join(folder, 'media')));
    const medium = await loadMedium('image', record.media.image, folder);
    assert.equal(objectsCode(perceive(medium), false), objectsCode(record.media.image.scene.objects, false));
  });

  it('refuses words that it does not know before it makes anything', () => {
    const script = path.resolve(__dirname, '../../data-scripts/omniworld.js');
    const blocked = path.join(folder, 'file');
    fs.writeFileSync(blocked, '');
    for (const [args, message] of [
      [['--profle', 'smoke'], /^omniworld: expected no --profle\nhelp: /],
      [['smoke'], /^omniworld: expected no smoke\n/],
      [['--seed'], /^--seed: expected a whole number from 0, got true\n/],
      [['--seed', '1.5'], /^--seed: /],
      [['--out', blocked], /^--out: expected a folder, got a file\n/],
      [['--profile', 'desk'], /^profile: expected smoke, laptop/],
    ] as const) {
      const made = spawnSync(process.execPath, [script, ...args], { cwd: folder, encoding: 'utf8' });
      assert.equal(made.status, 2, made.stderr);
      assert.match(made.stderr, message);
      assert.deepEqual(fs.readdirSync(folder), ['file']);
    }
    const { status, stdout } = spawnSync(process.execPath, [script, '--help'], { cwd: folder, encoding: 'utf8' });
    assert.equal(status, 0);
    assert.match(stdout, /--no-media/);
    assert.deepEqual(fs.readdirSync(folder), ['file']);
  });
});
