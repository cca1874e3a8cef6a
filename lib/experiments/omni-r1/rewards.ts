/**
 * Rollouts of a model and what the perception reward says of their pictures: its distribution for several tau, and whether two-dimensional total
 * variation, the energy behind it, tells functionally right pictures from wrong ones.
 */
import path from 'node:path';
import { z } from 'zod';
import { answerSamples } from '../../eval/omni-r1';
import { correlation, quantiles, rankedRight } from '../../eval/variation';
import { writeFileAtomic } from '../../io/atomic';
import { pictureCoder } from '../../models/omni-r1';
import { loadOmniR1 } from '../../models/omni-r1-folder';
import { perceptionReward } from '../../rewards';
import { defineExperiment } from '../../pipeline/experiment';
import { ACTIONS, formatAction, r1Sample } from '../../world/omni-r1';
import { scoreOptions } from './perpo';
import { r1Sizes } from './sizes';

/** The paper's suggestion, and the released code's value. */
export const TAUS = [0.01, 0.1, 1, 3] as const;

export const rewards = defineExperiment({
  name: 'omni-r1/rewards',
  description: 'the perception reward on rollouts, and the oracle',
  module: __filename,
  parents: (config) => [config.of],
  schema: z.strictObject({
    of: z.enum(['omni-r1/pesft', 'omni-r1/zero-sft', 'omni-r1/base']),
    mode: z.enum(['plain', 'templated']),
    samples: z.number().int().positive(),
    temperature: z.number().positive(),
    topP: z.number().positive(),
    maxNewTokens: z.number().int().positive(),
  }),
  config: (profile) => ({
    of: 'omni-r1/pesft' as const,
    mode: 'plain' as const,
    samples: Math.round(1600 * r1Sizes(profile).world.benchShare),
    temperature: 1,
    topP: 0.95,
    maxNewTokens: r1Sizes(profile).perpo.maxNewTokens,
  }),
  async run(ctx) {
    const { config: c, seed, device } = ctx;
    const model = await loadOmniR1(ctx.parent(c.of).dir);
    const coder = pictureCoder(model, { device });
    const samples = Array.from({ length: c.samples }, (_, i) => r1Sample(seed, 'validation', i));
    const answers = await answerSamples(model, coder, samples, {
      mode: c.mode,
      temperature: c.temperature,
      topP: c.topP,
      maxNewTokens: c.maxNewTokens,
      seed,
      device,
      onProgress: (done, total) => ctx.progress(done, total),
    });
    coder.release();
    const { perception } = await scoreOptions(model, { tau: 1, aggregation: 'mean', imageWeight: 0.05 });
    const rows = answers.flatMap((a) => {
      const { energies, kind } = perceptionReward(a.generation.tokens, perception!);
      // The line's energy is another measure; pictures of a whole grid only.
      if (kind !== 'grid' || energies.length !== a.pictures.length) return [];
      return a.sample.steps.slice(0, energies.length).map((step, k) => ({
        id: a.sample.id,
        kind: a.sample.kind,
        action: step.action.name,
        expected: formatAction(step.action),
        energy: energies[k],
        right: a.steps[k],
        accuracy: a.accuracy,
      }));
    });
    await writeFileAtomic(path.join(ctx.dir, 'pictures.jsonl'), rows.map((r) => JSON.stringify(r) + '\n').join(''));
    const out: Record<string, number> = { pictures: rows.length, answers: answers.length };
    for (const tau of TAUS) {
      const scores = rows.map((r) => 1 / (1 + r.energy / tau));
      for (const [name, value] of Object.entries(quantiles(scores))) out[`tau/${tau}/${name}`] = value;
    }
    for (const action of [null, ...ACTIONS]) {
      const list = rows.filter((r) => !action || r.action === action);
      const name = action ?? 'all';
      out[`variation/${name}/pictures`] = list.length;
      out[`variation/${name}/right`] = list.length ? list.filter((r) => r.right).length / list.length : Number.NaN;
      out[`variation/${name}/correlation`] = correlation(
        list.map((r) => -r.energy),
        list.map((r) => Number(r.right)),
      );
      out[`variation/${name}/auc`] = rankedRight(
        list.map((r) => -r.energy),
        list.map((r) => r.right),
      );
    }
    // What is not defined (one class only, no picture) is left out.
    return Object.fromEntries(Object.entries(out).filter(([, v]) => Number.isFinite(v)));
  },
});
