/** Generation modes of a unified model: what may follow, from a model that wants anything. */
import assert from 'node:assert/strict';
import { generate, modeConstraint } from '../../lib/generate';
import type { GenerationMode } from '../../lib/generate';
import { anoleLayout, chameleonInit, chameleonSizes, isImageToken } from '../../lib/models';
import type { TokenLayout } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices } from '../../lib/runtime';

const layout: TokenLayout = {
  ...anoleLayout,
  vocabSize: 40,
  imageCount: 8,
  eoi: 12,
  boi: 13,
  sep: 14,
  placeholder: 15,
  thoughtOpen: 16,
  thoughtClose: 17,
  answerOpen: 18,
  answerClose: 19,
  rows: 2,
  columns: 3,
};
const config = { ...chameleonSizes.nano, vocabSize: 40, maxLength: 48 };
const params = chameleonInit(new Random(7), config);
const prompts = [
  [0, 20, 21],
  [0, 22, layout.boi],
  [0, 13, 4, 5, 6, 7, 8, 9, 12, 20],
];

const run = (
  mode: GenerationMode,
  options: { maxImages?: number; maxLength?: number; limits?: readonly number[] } = {},
) => {
  const { maxLength = config.maxLength, limits = maxLength } = options;
  return generate({ params, config }, prompts, {
    maxLength,
    stop: [layout.eos],
    seed: 3,
    temperature: 2,
    topP: 0.99,
    constraint: modeConstraint(layout, mode, prompts, { ...options, maxLength: limits }),
  });
};

/** Whether images stand as they must: BOI, six image tokens, EOI; and none elsewhere. */
function wellFormed(prompt: readonly number[], tokens: readonly number[]): boolean {
  const all = [...prompt, ...tokens];
  for (let i = 0; i < all.length; i++) {
    if (all[i] === layout.boi) {
      for (let k = 1; k <= 6; k++) if (!isImageToken(layout, all[i + k])) return false;
      if (all[i + 7] !== layout.eoi) return false;
      i += 7;
    } else if (isImageToken(layout, all[i]) || all[i] === layout.eoi) return false;
  }
  return true;
}

describe('generation modes', () => {
  after(closeDevices);

  it('interleaved: whole images only, also at the end of the room', async () => {
    let images = 0;
    for (const maxLength of [48, 30, 19]) {
      const made = await run('interleaved-text-image', { maxLength });
      made.forEach(({ tokens }, i) => {
        assert.ok(wellFormed(prompts[i], tokens), `${maxLength}, row ${i}: ${tokens.join()}`);
        images += tokens.filter((t) => t === layout.boi).length;
      });
    }
    assert.ok(images > 3, `${images} images were begun`);
  });

  it('interleaved: whole images only, up to the limit of each row', async () => {
    let images = 0;
    for (const limits of [
      [14, 48, 20],
      [48, 20, 48],
      [30, 30, 26],
    ]) {
      // prettier-ignore
      const made = await run('interleaved-text-image', { limits });
      made.forEach(({ tokens }, i) => {
        const own = tokens.slice(0, limits[i] - prompts[i].length);
        assert.ok(wellFormed(prompts[i], own), `${limits.join()}, row ${i}: ${own.join()}`);
        images += own.filter((t) => t === layout.boi).length;
      });
    }
    assert.ok(images > 1, `${images} images were begun`);
  });

  it('text-only and image-only', async () => {
    const text = (await run('text-only')).flatMap((g) => g.tokens);
    assert.ok(text.length > 20 && text.every((t) => !isImageToken(layout, t) && t !== layout.boi && t !== layout.eoi));
    const [fresh, begun] = await run('image-only');
    assert.deepEqual([fresh.tokens[0], fresh.tokens[7], fresh.tokens[8]], [layout.boi, layout.eoi, layout.eos]);
    // The prompt has begun it.
    assert.ok(begun.tokens.slice(0, 6).every((t) => isImageToken(layout, t)));
    assert.deepEqual(begun.tokens.slice(6), [layout.eoi, layout.eos]);
  });

  it('counts images, the one that the prompt begins included', async () => {
    const made = await run('interleaved-text-image', { maxImages: 1 });
    made.forEach(({ tokens }, i) => {
      const begun = tokens.filter((t) => t === layout.boi).length + (i === 1 ? 1 : 0);
      assert.ok(begun <= 1, `row ${i}: ${begun}`);
    });
  });

  it('unrestricted is no constraint, and unknown modes are refused', () => {
    assert.equal(modeConstraint(layout, 'unrestricted', prompts, { maxLength: 48 }), undefined);
    assert.throws(() => modeConstraint(layout, 'video' as GenerationMode, prompts, { maxLength: 48 }), /text-only/);
  });
});
