/** `omnilab infer`: the released arguments and outputs, around a scripted model. */
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { inferCommand } from '../../lib/cli/infer';
import type { InferCommandOptions } from '../../lib/cli/infer';
import { hyphenated } from '../../lib/cli/omni-r1-commands';
import { main } from '../../lib/cli/program';
import { byPriority } from '../../lib/generate/omni-r1/infer-input';
import { splitInterleaved, truncateImages } from '../../lib/generate/omni-r1/interleaved-model';
import { readImage } from '../../lib/io';
import { trajectoryPage } from '../../lib/report/trajectory-page';
import { layout, scriptedModel } from '../generate/scripted-interleaved';
import { saveTiny } from '../generate/tiny-omni-r1';

const picture = path.join(process.cwd(), 'tests/goldens/data/omni-bench/pictures/one.png');

describe('omnilab infer', () => {
  let dir: string;
  beforeEach(() => (dir = fs.mkdtempSync(path.join(os.tmpdir(), 'infer-'))));
  afterEach(() => fs.rmSync(dir, { recursive: true, force: true }));

  const out = (...parts: string[]): string => path.join(dir, 'out', ...parts);
  const read = (...parts: string[]): string => fs.readFileSync(out(...parts), 'utf8');
  const result = (subset: string, i: number): { id: string; text: string; images: (string | null)[] } =>
    JSON.parse(read(subset, String(i), 'result.json')) as never;
  const write = (name: string, ...lines: unknown[]): void =>
    fs.writeFileSync(path.join(dir, name), lines.map((l) => `${typeof l === 'string' ? l : JSON.stringify(l)}\n`).join('')); // prettier-ignore

  async function run(options: Partial<InferCommandOptions> = {}, model = scriptedModel()) {
    let printed = '';
    const all: InferCommandOptions = {
      input: dir,
      outputDir: out(),
      modelPath: 'm',
      device: 'cpu',
      dtype: 'bfloat16',
      maxLength: 300,
      temperature: 0.5,
      topP: 0.9,
      generationMode: 'unrestricted',
      strictDecode: true,
      badImages: 'error',
      seed: 0,
      batchSize: 1,
      ...options,
    };
    const terminal = { out: (text: string) => void (printed += text), err: () => undefined };
    const status = await inferCommand(all, terminal, () => Promise.resolve(model));
    return { status, printed, model };
  }

  it('writes results, numbered images, errors, the list and the page', async () => {
    write(
      'set.jsonl',
      { id: 'x7', prompt: 'one <image> here', images: [picture] },
      { prompt: 'no picture <image> at all' },
      '{"prompt": broken',
      { id: 3, prompt: 'gone', images: 'no-such.png' },
      { id: null, prompt: 'fail' },
      '',
      [1, 2],
      { prompt: 5 },
      { id: true, prompt: 'two <image> one', images: [picture, picture] },
      { id: 'last', prompt: 'x' },
    );
    const { status, printed } = await run();
    assert.equal(status, 1);
    assert.match(printed, /3 rows written, 6 failed, 0 there before/);
    const first = result('set', 0);
    assert.equal(first.id, 'x7');
    assert.match(first.text, /^<s>one <image_0> hereTHOUGHT <image_1>Final Answer: \d<\/s>$/);
    assert.deepEqual(first.images, [out('set', '0', 'image_0.png'), out('set', '0', 'image_1.png')]);
    assert.equal((await readImage(first.images[1])).width, 2);
    assert.match(result('set', 1).text, /^<s>no picture {3}at allTHOUGHT/);
    assert.equal(result('set', 1).id, '1');
    assert.match(read('set', '2', 'error.txt'), /expected JSON, got/);
    assert.match(read('set', '3', 'error.txt'), /no-such\.png.*no such file/);
    assert.match(read('set', '4', 'error.txt'), /expected no such prompt/);
    assert.match(read('set', '5', 'error.txt'), /expected an object/);
    assert.match(read('set', '6', 'error.txt'), /expected a prompt, got 5/);
    assert.match(read('set', '7', 'error.txt'), /as many <image> as pictures, got 1 and 2/);
    assert.equal(result('set', 8).id, 'last');
    const lines = read('set', 'decoded_results.jsonl').trimEnd().split('\n');
    assert.deepEqual(lines.map((line) => (JSON.parse(line) as { id: string }).id), ['x7', '1', 'last']); // prettier-ignore
    const page = read('set', 'index.html');
    assert.ok(page.indexOf('src="0/image_0.png"') < page.indexOf('THOUGHT'));
    assert.ok(page.indexOf('THOUGHT') < page.indexOf('src="0/image_1.png"'));
    assert.match(page, /expected JSON, got/);
  });

  it('images that are none: strict, not strict, and such as cannot be decoded', async () => {
    write('bad.jsonl', ...['short image', 'odd image', 'open image', 'undecodable'].map((prompt) => ({ prompt })));
    await run();
    assert.deepEqual([0, 1, 2, 3].map((i) => result('bad', i).text), ['<s>short imagea<invalid_image_0></s>', '<s>odd image<invalid_image_0></s>', '<s>open imageb<image_0>', '<s>undecodable<error_image_0></s>']); // prettier-ignore
    assert.deepEqual([0, 1, 3].map((i) => result('bad', i).images), [[null], [null], [null]]); // prettier-ignore
    const dump = JSON.parse(read('bad', '0', 'image_0_invalid_len.json')) as unknown;
    assert.deepEqual(dump, { why: 'expected 4 tokens, got 2', tokens: [4, 5] });
    assert.ok(fs.existsSync(out('bad', '1', 'image_0_non_image_bpe.json')));
    assert.ok(fs.existsSync(out('bad', '3', 'image_0_decode_error.json')));
    assert.match(read('bad', 'index.html'), /image 0: not an image.*image 0: error/s);
    await run({ strictDecode: false });
    assert.equal(result('bad', 1).text, '<s>odd image<image_0></s>');
  });

  it('--resume leaves what is there, errors too; --retry-errors does those again', async () => {
    write('s.jsonl', { prompt: 'a' }, { prompt: 'fail' }, { prompt: 'c' });
    assert.equal((await run()).model.calls.length, 3);
    fs.rmSync(out('s', '2', 'result.json'));
    const second = await run({ resume: true });
    assert.deepEqual(second.model.calls, [['<s>c']]);
    assert.match(second.printed, /1 rows written, 0 failed, 2 there before/);
    assert.equal(read('s', 'decoded_results.jsonl').trimEnd().split('\n').length, 2);
    const third = await run({ resume: true, retryErrors: true });
    assert.deepEqual(third.model.calls, [['<s>fail']]);
    write('s.jsonl', { prompt: 'a' }, { prompt: 'mended' }, { prompt: 'c' });
    await run({ resume: true, retryErrors: true });
    assert.ok(!fs.existsSync(out('s', '1', 'error.txt')));
    assert.match(result('s', 1).text, /mended/);
  });

  it('--resume does rows again whose result is damaged', async () => {
    const damaged = ['{}', 'null', '"text"', '{"id": "0", "te', '{"id": "4", "text": "x", "images": [5]}'];
    write('s.jsonl', ...damaged.map((_, i) => ({ prompt: `p${i}` })));
    await run();
    damaged.forEach((text, i) => fs.writeFileSync(out('s', String(i), 'result.json'), text));
    const again = await run({ resume: true });
    assert.match(again.printed, /5 rows written, 0 failed, 0 there before/);
    damaged.forEach((_, i) => assert.match(result('s', i).text, new RegExp(`^<s>p${i}`)));
  });

  it('--append-boi, --max-images, --max-length, --bad-images drop, batches', async () => {
    write(
      's.jsonl',
      { prompt: 'two images' },
      { prompt: 'gone <image>', images: ['none.png'] },
      { prompt: 'x'.repeat(400) },
    );
    await run({ maxImages: 1, badImages: 'drop', batchSize: 2 });
    assert.equal(result('s', 0).text, '<s>two images<image_0></s>');
    assert.match(result('s', 1).text, /^<s>goneTHOUGHT/);
    assert.match(read('s', '2', 'error.txt'), /fewer than 300 tokens, got 401/);
    await run({ maxImages: 0 });
    assert.deepEqual(result('s', 0), { id: '0', text: '</s>', images: [] });
    const { model } = await run({ appendBoi: true });
    assert.equal(model.calls[0][0], '<s>two images<21>');
  });

  it('parts and cuts sequences and orders files as the released script (tests/goldens/infer.py)', () => {
    interface Case {
      case: 'split' | 'cut' | 'order';
      ids: number[];
      most: number;
      names: string[];
      terms: string[];
      value: unknown;
    }
    const golden = path.join(process.cwd(), 'tests/goldens/data/infer.jsonl');
    const cases = fs.readFileSync(golden, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Case); // prettier-ignore
    for (const c of cases) {
      const found = {
        split: () => splitInterleaved(c.ids, layout).map(({ kind, ids }) => [kind, ids]),
        cut: () => truncateImages(c.ids, c.most, layout),
        order: () =>
          byPriority(
            c.names.map((n) => `/in/${n}.jsonl`),
            c.terms,
          ).map((f) => path.basename(f, '.jsonl')),
      }[c.case]();
      assert.deepEqual(found, c.value, JSON.stringify(c));
    }
  });

  it('a model from a folder: pictures in and out, the same again from the same seed', async () => {
    const model = path.join(dir, 'model');
    await saveTiny(model);
    const input = path.join(dir, 'set.jsonl');
    fs.writeFileSync(input, `${JSON.stringify({ prompt: 'what is this <image>', images: [picture] })}\n`);
    const say = async (folder: string, ...more: string[]): Promise<Record<string, unknown>> => {
      const args = ['--input', input, '--output_dir', path.join(dir, folder), '--model_path', model, '--do_sample'];
      const mode = ['--generation_mode', 'interleaved-text-image', '--append_boi', '--max_length', '180'];
      let text = '';
      const terminal = { out: (t: string) => void (text += t), err: (t: string) => void (text += t) };
      assert.equal(await main(['infer', ...args, ...mode, ...more], terminal), 0, text);
      return JSON.parse(fs.readFileSync(path.join(dir, folder, 'set', '0', 'result.json'), 'utf8')) as never;
    };
    const first = (await say('a')) as { text: string; images: string[] };
    assert.match(first.text, /^<s>what is this <image_0><image_1>/);
    const { width, height } = await readImage(first.images[1]);
    assert.deepEqual([width, height], [16, 16]);
    const again = await say('b');
    assert.equal(again.text, first.text);
    const seeded = await say('c', '--seed', '1');
    assert.notEqual(seeded.text, first.text);
  });

  it('pages show text as text', () => {
    const page = trajectoryPage('<t>', [{ title: '"q"', text: '<b>&<image_0></s>', images: ['a"b.png'] }]);
    assert.ok(page.includes('&lt;b&gt;&amp;<figure><img src="a&quot;b.png"'));
    assert.ok(page.includes('<title>&lt;t&gt;</title>') && page.includes('<span class="token">&lt;/s&gt;</span>'));
  });

  it('mistakes in the command are told before a model is loaded', async () => {
    const say = async (...args: string[]): Promise<[number, string]> => {
      let text = '';
      const status = await main(args, { out: (t) => void (text += t), err: (t) => void (text += t) });
      return [status, text];
    };
    const none = await say('infer', '--output_dir', dir, '--model-path', 'm');
    assert.equal(none[0], 2);
    assert.match(none[1], /expected --input, got none/);
    const missing = await say('infer', '--input', path.join(dir, 'no.jsonl'), '--output_dir', dir, '--model_path', 'm');
    assert.equal(missing[0], 2);
    assert.match(missing[1], /expected a \.jsonl file or a folder with some/);
    const mode = await say('infer', '--generation_mode', 'x');
    assert.equal(mode[0], 2);
    assert.deepEqual(hyphenated(['infer', '--a_b=c_d', '--x_y', 'z_w', '--', '--k_k']), ['infer', '--a-b=c_d', '--x-y', 'z_w', '--', '--k_k']); // prettier-ignore
    assert.deepEqual(hyphenated(['run', '--a_b']), ['run', '--a_b']);
  });
});
