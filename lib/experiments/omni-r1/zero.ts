/**
 * Omni-R1-Zero: text-only chains, a picture for each step by the base model as visualiser, assembled with the template, then PeSFT
 * on them. The pictures' quality (functionally right by the oracle, distance from the true ones) and diversity (how
 * many differ, and how much, for equal words) are measured.
 */
import path from 'node:path';
import { z } from 'zod';
import { writeJsonl } from '../../io/jsonl';
import { copyTree } from '../../io/params';
import { visualiseSteps } from '../../generate/visualise';
import { codebookOf, pictureCoder } from '../../models/omni-r1';
import type { OmniR1, PictureCoder } from '../../models/omni-r1';
import { loadOmniR1, saveOmniR1 } from '../../models/omni-r1-folder';
import { r1Example } from '../../models/r1-template';
import type { R1Row } from '../../models/r1-template';
import { variation2d } from '../../rewards';
import { defineExperiment } from '../../pipeline/experiment';
import { optimizerSchema } from '../../trainers/optimizer';
import { trainPesft } from '../../trainers/pesft';
import {
  finalAnswer,
  imagePlaceholder,
  judgeStep,
  pictureDistance,
  problemImage,
  questionText,
  r1Sample,
  reasoningImage,
  textChain,
} from '../../world/omni-r1';
import type { R1Sample } from '../../world/omni-r1';
import { evaluateR1, loadRows, r1RowSchema } from './load';
import { r1Sizes } from './sizes';

export const zeroData = defineExperiment({
  name: 'omni-r1/zero-data',
  description: 'text-only chains with a picture for each step, by the base model',
  module: __filename,
  parents: ['omni-r1/base'],
  schema: z.strictObject({
    chains: z.number().int().positive(),
    temperature: z.number().positive(),
    topP: z.number().positive(),
  }),
  // The released checkpoint's generation_config.
  config: (profile) => ({ chains: r1Sizes(profile).world.chains, temperature: 0.7, topP: 0.9 }),
  async run(ctx) {
    const { seed, device, config: c } = ctx;
    const model = await loadOmniR1(ctx.parent('omni-r1/base').dir);
    const coder = pictureCoder(model, { device });
    // Samples that neither the base nor the supervised model has seen.
    const samples = Array.from({ length: c.chains }, (_, i) => r1Sample(seed, 'train', 1_000_000 + i));
    const steps = samples.flatMap((sample) => sample.steps.map((step, k) => ({ sample, k, says: step.says })));
    const images = await visualiseSteps(
      model,
      steps.map((s) => s.says),
      {
        temperature: c.temperature,
        topP: c.topP,
        seed,
        device,
        streams: steps.map(({ sample, k }) => `${sample.id} ${k}`),
        onProgress: (done, total) => ctx.progress(done, total),
      },
    );
    const problems = await coder.encode(samples.map((s) => s.image));
    let next = 0;
    const rows = samples.map((sample, i): R1Row => {
      const row: R1Row = {
        Question: questionText(sample),
        'Text Reasoning Trace': textChain(sample)
          .map((text, k) => text + imagePlaceholder(reasoningImage(k + 1)))
          .join(''),
        'Final Answer': finalAnswer(sample.answer),
        [problemImage(1)]: problems[i],
      };
      sample.steps.forEach((_, k) => (row[reasoningImage(k + 1)] = images[next++]));
      return row;
    });
    await writeJsonl(path.join(ctx.dir, 'train.jsonl'), r1RowSchema, rows);
    const measures = await synthetic(model, coder, steps, images);
    coder.release();
    return { samples: rows.length, ...measures };
  },
});

/** Quality and diversity of the pictures; `true/...`: the same of the true ones. */
async function synthetic(
  model: OmniR1,
  coder: PictureCoder,
  steps: readonly { sample: R1Sample; k: number; says: string }[],
  images: readonly number[][],
): Promise<Record<string, number>> {
  const inside = images.map((t) => t.slice(1, -1));
  const pictures = await coder.decode(inside);
  const truth = (await coder.encode(steps.map(({ sample, k }) => sample.steps[k].image))).map((t) => t.slice(1, -1));
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
  const { layout } = model;
  const [table, width] = [await codebookOf(model), model.vqgan.config.embedDim];
  const vector = (token: number): number[] =>
    Array.from({ length: width }, (_, d) => table[(token - layout.imageStart) * width + d]);
  const variation = (list: readonly number[][]): number =>
    mean(list.map((ids) => variation2d(ids.map(vector), layout.rows, layout.columns)));
  const spread = (list: readonly number[][]): Record<string, number> => {
    const byText = new Map<string, number[][]>();
    steps.forEach(({ says }, i) => byText.set(says, [...(byText.get(says) ?? []), list[i]]));
    const pairs = [...byText.values()].flatMap((same) =>
      same.slice(1).map((other) => mean(other.map((t, j) => Number(t !== same[0][j])))),
    );
    return {
      distinct: new Set(list.map((t) => t.join())).size / list.length,
      codes_used: new Set(list.flat()).size,
      /** Share of tokens that differ between two pictures for the same words. */
      same_text_difference: mean(pairs),
      variation: variation(list),
    };
  };
  return {
    'quality/right': mean(pictures.map((p, i) => Number(judgeStep(steps[i].sample, steps[i].k, p).right))),
    'quality/rmse': mean(pictures.map((p, i) => pictureDistance(p, steps[i].sample.steps[steps[i].k].image))),
    ...Object.fromEntries(Object.entries(spread(inside)).map(([k, v]) => [`diversity/${k}`, v])),
    ...Object.fromEntries(Object.entries(spread(truth)).map(([k, v]) => [`true/${k}`, v])),
  };
}

export const zero = defineExperiment({
  name: 'omni-r1/zero-sft',
  description: 'PeSFT on chains with synthetic pictures',
  module: __filename,
  parents: ['omni-r1/base', 'omni-r1/zero-data'],
  schema: z.strictObject({
    optimizer: optimizerSchema,
    lambda: z.number().min(0),
    textWeight: z.number().positive(),
    benchShare: z.number(),
  }),
  config: (profile) => {
    const { zero: optimizer, textWeight, world } = r1Sizes(profile);
    return { optimizer, lambda: 1, textWeight, benchShare: world.benchShare };
  },
  async run(ctx) {
    const { config: c, seed, device } = ctx;
    const base = await loadOmniR1(ctx.parent('omni-r1/base').dir);
    const { config, layout, tokenizer } = base;
    const rows = await loadRows(ctx.parent('omni-r1/zero-data'), 'train');
    const examples = rows.flatMap(
      (row, i) => r1Example(tokenizer, layout, row, i, { mode: 'templated', maxLength: config.maxLength }) ?? [],
    );
    const { model: params } = await trainPesft(ctx, {
      model: config,
      layout,
      params: await copyTree(base.params),
      codebook: await codebookOf(base),
      optimizer: c.optimizer,
      lambda: c.lambda,
      textWeight: c.textWeight,
      projection: 'trained',
      scale: 'dimension',
      examples,
      seed,
      device,
    });
    const model = { ...base, params };
    await saveOmniR1(ctx.dir, model);
    const { metrics } = await evaluateR1(ctx, model, { share: c.benchShare, mode: 'templated' });
    return { dropped: rows.length - examples.length, ...metrics };
  },
});
