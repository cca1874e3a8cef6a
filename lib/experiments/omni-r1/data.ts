/** The laptop world as tokens: the vocabulary, trajectories in the released JSON Lines format, descriptions for the base model. */
import path from 'node:path';
import type { HostTensor } from '../../graph/dtype';
import { writeJsonl } from '../../io/jsonl';
import { pictureCoder } from '../../models/omni-r1';
import { layoutOf } from '../../models/r1-layout';
import type { R1Example } from '../../models/r1-template';
import { vqganGrid } from '../../models/vqgan';
import { defineExperiment } from '../../pipeline/experiment';
import { makeR1Sample, r1Sample } from '../../world/omni-r1';
import type { R1Sample } from '../../world/omni-r1';
import { drawnAhead } from './drawn-ahead';
import { loadVqgan, r1RowSchema } from './load';
import { r1Sizes, r1WorldSchema } from './sizes';
import { descriptionExamples, trainR1Tokenizer, trajectoryRows } from './tokens';
import { z } from 'zod';

/** Examples one after another; `ends` says where each ends. */
export function packed(examples: readonly R1Example[]): Record<string, HostTensor> {
  const ints = (values: number[]): HostTensor => ({
    dtype: 'int32',
    shape: [values.length],
    data: Int32Array.from(values),
  });
  let end = 0;
  return {
    ids: ints(examples.flatMap((e) => e.ids)),
    mask: ints(examples.flatMap((e) => e.mask)),
    ends: ints(examples.map((e) => (end += e.ids.length))),
  };
}

/** Where the further samples of a task begin. */
const FURTHER = 1_000_000;

/**
 * Sample `i` of those that are described: none of the trajectories'. Three of four are structured or natural: places are asked of
 * these.
 */
export function describedSample(seed: number, trajectories: number, i: number): R1Sample {
  const [round, place] = [Math.floor(i / 4), i % 4];
  if (place === 0) return r1Sample(seed, 'train', trajectories + round);
  if (place === 2) return makeR1Sample(seed, 'train', 'natural', FURTHER + round);
  return makeR1Sample(seed, 'train', 'structured', FURTHER + 2 * round + (place - 1) / 2);
}

export const data = defineExperiment({
  name: 'omni-r1/data',
  description: "Omni-R1's trajectories and descriptions as tokens",
  module: __filename,
  parents: ['omni-r1/vqgan'],
  schema: z.strictObject({ world: r1WorldSchema.pick({ trajectories: true, descriptions: true, words: true }) }),
  config: (profile) => {
    const { trajectories, descriptions, words } = r1Sizes(profile).world;
    return { world: { trajectories, descriptions, words } };
  },
  async run(ctx) {
    const { world } = ctx.config;
    const { seed, device } = ctx;
    const vqgan = await loadVqgan(ctx.parent('omni-r1/vqgan'));
    const side = vqganGrid(vqgan.config);
    const codes = vqgan.config.numEmbeddings;
    const tokenizer = trainR1Tokenizer(seed, codes, codes + world.words);
    await tokenizer.save(path.join(ctx.dir, 'tokenizer'));
    const layout = layoutOf(tokenizer, { rows: side, columns: side });
    const coder = pictureCoder({ vqgan, layout }, { device });
    const total = world.trajectories + world.descriptions;
    async function* rows() {
      const sample = (i: number): R1Sample => r1Sample(seed, 'train', i);
      const code = (samples: R1Sample[]) => trajectoryRows(coder, samples);
      for await (const { made, end } of drawnAhead(world.trajectories, sample, code)) {
        yield* made;
        ctx.progress(end, total);
      }
    }
    await writeJsonl(path.join(ctx.dir, 'train.jsonl'), r1RowSchema, rows());
    const descriptions: R1Example[] = [];
    const sample = (i: number): R1Sample => describedSample(seed, world.trajectories, i);
    const code = (samples: R1Sample[], at: number) => descriptionExamples(coder, tokenizer, layout, samples, seed + at);
    for await (const { made, end } of drawnAhead(world.descriptions, sample, code)) {
      descriptions.push(...made);
      ctx.progress(world.trajectories + end, total);
    }
    await ctx.save('descriptions', packed(descriptions));
    coder.release();
    return {
      vocabulary: layout.vocabSize,
      descriptionTokens: descriptions.reduce((n, e) => n + e.ids.length, 0),
      longestDescription: Math.max(...descriptions.map((e) => e.ids.length)),
    };
  },
});
