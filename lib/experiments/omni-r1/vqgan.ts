/** The image tokenizer: trained on the laptop world's pictures, then frozen. */
import { z } from 'zod';
import { countElements } from '../../graph/tree';
import { toHost } from '../../io/params';
import { layoutTokens } from '../../models/r1-layout';
import { trainTokenizer } from '../../io/tokenizer-train';
import { pictureCoder } from '../../models/omni-r1';
import { layoutOf } from '../../models/r1-layout';
import { vqganGrid, vqganSchema } from '../../models/vqgan';
import type { VqganParams } from '../../models/vqgan';
import { vqganStart } from '../../models/vqgan-start';
import { Random } from '../../nn/random';
import { defineExperiment } from '../../pipeline/experiment';
import { batchIndices } from '../../trainers/batches';
import { optimizerSchema } from '../../trainers/optimizer';
import { trainVqgan } from '../../trainers/vqgan';
import { ACTIONS, judgeStep, pictureDistance, r1Sample } from '../../world/omni-r1';
import type { ActionName, R1Sample } from '../../world/omni-r1';
import { r1Sizes, r1WorldSchema } from './sizes';

export const vqgan = defineExperiment({
  name: 'omni-r1/vqgan',
  description: 'the image tokenizer',
  module: __filename,
  schema: z.strictObject({
    model: vqganSchema,
    optimizer: optimizerSchema,
    world: r1WorldSchema.pick({ pictures: true, startPictures: true, heldOutPictures: true }),
  }),
  config: (profile) => {
    const { vqgan: model, tokenizer: optimizer, world } = r1Sizes(profile);
    const { pictures, startPictures, heldOutPictures } = world;
    return { model, optimizer, world: { pictures, startPictures, heldOutPictures } };
  },
  async run(ctx) {
    const { model, optimizer, world } = ctx.config;
    const { seed, device } = ctx;
    const all = (samples: readonly R1Sample[]): Float32Array[] =>
      samples
        .flatMap((s) => [s.image, ...s.steps.map((step) => step.image)])
        .map(({ data }) => data.map((v) => 2 * v - 1));
    const pictures = all(Array.from({ length: world.pictures }, (_, i) => r1Sample(seed, 'train', i)));
    const held = Array.from({ length: world.heldOutPictures }, (_, i) => r1Sample(seed, 'validation', i));
    const rng = new Random(seed, 'omni-r1 vqgan');
    ctx.message('principal components and first codes');
    const first = rng.stream('first').permutation(pictures.length).slice(0, world.startPictures);
    const start = await vqganStart(
      rng.stream('start'),
      model,
      first.map((i) => pictures[i]),
      { device },
    );
    const before = await reconstructions(start, ctx.config.model, held, device);
    const params = await trainVqgan(ctx, {
      model,
      optimizer,
      start,
      batch: (i) => {
        const rows = batchIndices(rng.stream('order'), pictures.length, optimizer.batchSize, i);
        const batch = new Float32Array(rows.length * pictures[0].length);
        rows.forEach((row, k) => batch.set(pictures[row], k * pictures[0].length));
        return batch;
      },
      seed,
      device,
    });
    await ctx.save('vqgan', await toHost(params), { format: 'pt' });
    await ctx.saveJson('config', model);
    const after = await reconstructions(params, model, held, device);
    return {
      parameters: countElements(params),
      ...after,
      'start/rmse': before.rmse,
      'start/codes_used': before.codes_used,
    };
  },
});

/**
 * Held-out pictures through the tokenizer: root mean squared error, codes in use and their perplexity, and the share of
 * intermediate pictures that the oracle still takes for what they are.
 */
async function reconstructions(
  params: VqganParams,
  config: z.infer<typeof vqganSchema>,
  samples: readonly R1Sample[],
  device: string,
): Promise<Record<string, number>> {
  const side = vqganGrid(config);
  const names = trainTokenizer([], {
    vocabSize: layoutTokens(config.numEmbeddings).length + 256,
    addedTokens: layoutTokens(config.numEmbeddings),
  });
  const layout = layoutOf(names, { rows: side, columns: side });
  const coder = pictureCoder({ vqgan: { config, params }, layout }, { device });
  const steps = samples.flatMap((s) => s.steps.map((_, k) => ({ s, k })));
  const tokens = await coder.encode(steps.map(({ s, k }) => s.steps[k].image));
  const rebuilt = await coder.decode(tokens.map((t) => t.slice(1, -1)));
  coder.release();
  const counts = new Map<number, number>();
  for (const t of tokens.flatMap((list) => list.slice(1, -1))) counts.set(t, (counts.get(t) ?? 0) + 1);
  const total = tokens.length * side * side;
  let entropy = 0;
  for (const n of counts.values()) entropy -= (n / total) * Math.log(n / total);
  const out: Record<string, number> = {
    rmse: Math.sqrt(
      steps.reduce((sum, { s, k }, i) => sum + pictureDistance(s.steps[k].image, rebuilt[i]) ** 2, 0) / steps.length,
    ),
    codes_used: counts.size,
    code_perplexity: Math.exp(entropy),
  };
  const right = (name?: ActionName): number => {
    const list = steps.flatMap(({ s, k }, i) => (!name || s.steps[k].action.name === name ? [{ s, k, i }] : []));
    return list.filter(({ s, k, i }) => judgeStep(s, k, rebuilt[i]).right).length / list.length;
  };
  out.right = right();
  for (const name of ACTIONS) out[`right/${name}`] = right(name);
  return out;
}
