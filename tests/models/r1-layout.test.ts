/** Token layouts, templates and the folder of Omni-R1. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ArgumentError, FormatError } from '../../lib/errors';
import { trainTokenizer } from '../../lib/io/tokenizer-train';
import {
  anoleLayout,
  chameleonInit,
  chameleonSizes,
  imageCodes,
  imageTokenCode,
  imageTokenName,
  imageTokens,
  layoutOf,
  layoutTokens,
  loadOmniR1,
  perceptionTable,
  pictureCoder,
  r1Example,
  r1Prompt,
  saveOmniR1,
  splitSegments,
  vqganInit,
  vqganSizes,
} from '../../lib/models';
import type { OmniR1, R1Row } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';

const codes = 16;
const tokenizer = trainTokenizer(['THOUGHT 1: look Final Answer: red'], {
  vocabSize: layoutTokens(codes).length + 260,
  addedTokens: layoutTokens(codes),
});
const layout = layoutOf(tokenizer, { rows: 2, columns: 2 });
const row: R1Row = {
  Question: 'What?<image_start>[problem_image_1]<image_end>',
  'Text Reasoning Trace': 'THOUGHT 1: look<image_start>[reasoning_image_1]<image_end>',
  'Final Answer': 'Final Answer: red',
  problem_image_1: imageTokens(layout, [1, 2, 3, 4]),
  reasoning_image_1: imageTokens(layout, [5, 6, 7, 8]),
};

describe('Omni-R1: tokens', () => {
  after(closeDevices);

  it("has Anole's ids", () => {
    assert.deepEqual(
      [anoleLayout.imageStart, anoleLayout.imageCount, anoleLayout.eoi, anoleLayout.boi, anoleLayout.sep],
      [4, 8192, 8196, 8197, 8710],
    );
    // <reservedNNNNN> has id NNNNN + 4.
    assert.deepEqual(
      [anoleLayout.thoughtOpen, anoleLayout.thoughtClose, anoleLayout.answerOpen, anoleLayout.answerClose],
      [12856, 12857, 12866, 12867].map((n) => n + 4),
    );
    assert.deepEqual([layout.imageStart, layout.eoi, layout.boi], [4, 4 + codes, 5 + codes]);
  });

  it('tells the code of an image token by its name, in any order', () => {
    assert.equal(imageTokenName(102), 'IMGIMGBACZ');
    for (const n of [0, 7, 8191]) assert.equal(imageTokenCode(imageTokenName(n)), n);
    assert.equal(imageTokenCode('IMGIMGKZ'), null);
    const names = ['<s>', '<pad>', '</s>', '<unk>', imageTokenName(2), imageTokenName(0), imageTokenName(1)];
    const shuffled = trainTokenizer([], {
      addedTokens: [...names, ...layoutTokens(0).slice(4)],
      vocabSize: 7 + 8 + 256,
    });
    const other = layoutOf(shuffled, { rows: 1, columns: 3 });
    assert.deepEqual(other.codes, [2, 0, 1]);
    assert.deepEqual(imageTokens(other, [0, 1, 2]), [other.boi, 5, 6, 4, other.eoi]);
    assert.deepEqual(imageCodes(other, [5, 6, 4]), [0, 1, 2]);
    // Row i of the table belongs to token 4 + i.
    assert.deepEqual([...perceptionTable(other, Float32Array.of(0, 0, 1, 1, 2, 2))], [2, 2, 0, 0, 1, 1]);
    assert.throws(() => imageCodes(other, [other.boi]), ArgumentError);
  });

  it('cuts sequences at images, one that is left open too', () => {
    const { boi, eoi } = layout;
    assert.deepEqual(splitSegments(layout, [100, boi, 4, 5, eoi, 101, 102, boi, 6, boi, 7]), [
      { kind: 'text', tokens: [100] },
      { kind: 'image', tokens: [4, 5], closed: true },
      { kind: 'text', tokens: [101, 102] },
      { kind: 'image', tokens: [6], closed: false },
      { kind: 'image', tokens: [7], closed: false },
    ]);
  });

  it('makes plain samples: the prompt is masked, the rationale an option', () => {
    const o = { mode: 'plain' as const, maxLength: 100 };
    const short = r1Example(tokenizer, layout, row, 0, o)!;
    const long = r1Example(tokenizer, layout, row, 0, { ...o, plainIncludeRationale: true })!;
    const prompt = r1Prompt(tokenizer, layout, row, o)!;
    const answer = [...tokenizer.encode('Final Answer: red'), layout.eos];
    assert.deepEqual(short.ids, [...prompt, ...answer]);
    assert.deepEqual(short.mask, [...prompt.map(() => 0), ...answer.map(() => 1)]);
    assert.deepEqual(prompt, [layout.bos, ...tokenizer.encode('What?'), ...(row.problem_image_1 as number[])]);
    const thoughts = [...tokenizer.encode('THOUGHT 1: look'), ...(row.reasoning_image_1 as number[])];
    assert.deepEqual(long.ids, [...prompt, ...thoughts, ...tokenizer.encode('\n'), ...answer]);
  });

  it('makes templated samples: control tokens about thoughts and answer, a lead phrase by seed', () => {
    const o = { mode: 'templated' as const, maxLength: 400 };
    const made = r1Example(tokenizer, layout, row, 3, o)!;
    assert.deepEqual(r1Example(tokenizer, layout, row, 3, o), made);
    const leads = new Set(
      Array.from({ length: 40 }, (_, i) => {
        const { ids, mask } = r1Example(tokenizer, layout, row, i, o)!;
        return tokenizer.decode(ids.slice(mask.indexOf(1), ids.lastIndexOf(layout.thoughtOpen)));
      }),
    );
    assert.equal(leads.size, 8);
    const [open, close] = [layout.thoughtOpen, layout.thoughtClose].map((t) => made.ids.lastIndexOf(t));
    assert.deepEqual(made.ids.slice(open + 1, close), [
      ...tokenizer.encode('THOUGHT 1: look'),
      ...(row.reasoning_image_1 as number[]),
    ]);
    assert.equal(made.ids[close + 1], layout.answerOpen);
    assert.deepEqual(made.ids.slice(-2), [layout.answerClose, layout.eos]);
  });

  it('drops what the released code drops', () => {
    const o = { mode: 'plain' as const, maxLength: 100, plainIncludeRationale: true };
    const drop = (change: Partial<R1Row>, options: Parameters<typeof r1Example>[4] = o): void =>
      assert.equal(r1Example(tokenizer, layout, { ...row, ...change }, 0, options), null);
    drop({ Question: ' ' });
    drop({ 'Final Answer': '' });
    drop({ reasoning_image_1: undefined });
    drop({}, { ...o, maxLength: 20 });
    drop({ 'Text Reasoning Trace': '' }, { mode: 'templated', maxLength: 400 });
    assert.ok(r1Example(tokenizer, layout, { ...row, 'Text Reasoning Trace': '' }, 0, o));
    // Fields that a file leaves out.
    drop({ Question: undefined });
    drop({ 'Final Answer': undefined });
    // Without a trace there is no line end of its own; without a use for it, its pictures are not asked for.
    const short = r1Example(tokenizer, layout, row, 0, { ...o, plainIncludeRationale: false })!;
    const bare = (change: Partial<R1Row>, plainIncludeRationale: boolean): number[] =>
      r1Example(tokenizer, layout, { ...row, ...change }, 0, { ...o, plainIncludeRationale })!.ids;
    assert.deepEqual(bare({ 'Text Reasoning Trace': ' ' }, true), short.ids);
    assert.deepEqual(bare({ reasoning_image_1: undefined }, false), short.ids);
  });

  it('goes to a folder and back, and refuses damaged ones', async () => {
    const vq = { ...vqganSizes.nano, numEmbeddings: codes };
    const config = { ...chameleonSizes.nano, width: 32, vocabSize: layout.vocabSize };
    const grid = layoutOf(tokenizer, { rows: 8, columns: 8 });
    const model: OmniR1 = {
      config,
      params: chameleonInit(new Random(1), config),
      vqgan: { config: vq, params: vqganInit(new Random(2), vq) },
      tokenizer,
      layout: grid,
    };
    const dir = mkdtempSync(path.join(tmpdir(), 'omni-r1-'));
    await saveOmniR1(dir, model);
    const back = await loadOmniR1(dir);
    assert.deepEqual(back.layout, grid);
    assert.deepEqual(back.config, config);
    const picture = { width: 16, height: 16, data: new Random(3).uniforms(3 * 256) };
    const [a, b] = await Promise.all([model, back].map((m) => pictureCoder(m).encode([picture])));
    assert.deepEqual(a, b);
    assert.equal(a[0].length, 66);
    const [decoded] = await pictureCoder(back).decode([a[0].slice(1, -1)]);
    assert.equal(decoded.data.length, 3 * 256);
    await assert.rejects(pictureCoder(back).decode([[4, 4]]), ArgumentError);
    const json = JSON.parse(readFileSync(path.join(dir, 'config.json'), 'utf8')) as Record<string, unknown>;
    writeFileSync(path.join(dir, 'config.json'), JSON.stringify({ ...json, swin_norm: true }));
    await assert.rejects(loadOmniR1(dir), FormatError);
  });
});
