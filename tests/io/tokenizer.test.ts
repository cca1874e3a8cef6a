/** The tokenizer: round trips, and ids against those of the reference library. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ArgumentError, FormatError } from '../../lib/errors';
import { Tokenizer, trainTokenizer } from '../../lib/io';

interface Golden {
  corpus: string[];
  merges: [string, string][];
  vocab: number;
  cases: [string, number[]][];
}
const golden = JSON.parse(
  readFileSync(path.resolve(__dirname, '../../../tests/goldens/data/tokenizer.json'), 'utf8'),
) as Golden;
const added = ['<|end|>', '<IMG0>', '<IMG1>'];

describe('tokenizer', () => {
  const trained = trainTokenizer(golden.corpus, { vocabSize: 400, addedTokens: added });

  it("learns the merges of Hugging Face's trainer", () => {
    assert.deepEqual((trained.definition as { model: { merges: string[][] } }).model.merges, golden.merges);
    assert.equal(trained.vocabSize, golden.vocab);
  });

  it('encodes as the Python library does, added tokens and any Unicode included', () => {
    for (const [text, ids] of golden.cases) assert.deepEqual(trained.encode(text), ids, JSON.stringify(text));
  });

  it('decodes to the text again', () => {
    for (const [text] of golden.cases) assert.equal(trained.decode(trained.encode(text)), text);
    assert.equal(trained.decode(trained.encode('a<|end|>b'), true), 'ab');
  });

  it('is stored and read, with the same bytes each time', async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'omnilab-tokenizer-'));
    try {
      await trained.save(dir);
      const first = readFileSync(path.join(dir, 'tokenizer.json'));
      const again = Tokenizer.load(dir);
      assert.deepEqual(again.encode('<IMG0> the circle shows 42'), trained.encode('<IMG0> the circle shows 42'));
      await trainTokenizer(golden.corpus, { vocabSize: 400, addedTokens: added }).save(dir);
      assert.deepEqual(readFileSync(path.join(dir, 'tokenizer.json')), first);
      writeFileSync(path.join(dir, 'tokenizer.json'), first.subarray(0, 500));
      assert.throws(() => Tokenizer.load(dir), FormatError);
      writeFileSync(path.join(dir, 'tokenizer.json'), '{"version": "1.0"}');
      assert.throws(() => Tokenizer.load(dir), FormatError);
      assert.throws(() => Tokenizer.load(path.join(dir, 'nowhere')), /no readable file/);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('spells out added tokens in texts from outside', () => {
    const added = (ids: number[]) => ids.filter((id) => id < 3);
    for (const text of ['a<|end|>b', '<|end|>', '<IMG0><IMG1>', '<<|end|>|end|>', '😀<IMG0>', 'none', '']) {
      const ids = trained.encodePlain(text);
      assert.deepEqual(added(ids), [], text);
      assert.equal(trained.decode(ids), text);
    }
    assert.deepEqual(trained.encodePlain('circle 42'), trained.encode('circle 42'));
  });

  it('names tokens that it lacks, and vocabularies that are too small', () => {
    assert.equal(trained.id('<IMG1>'), 2);
    assert.equal(trained.token(2), '<IMG1>');
    assert.throws(() => trained.id('<AUD0>'), ArgumentError);
    assert.throws(() => trained.encode(undefined as unknown as string), ArgumentError);
    assert.throws(() => trainTokenizer(['a'], { vocabSize: 100, addedTokens: added }), /at least 259/);
  });
});
