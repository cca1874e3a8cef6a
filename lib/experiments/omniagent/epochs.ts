/**
 * The card's claim on epochs (OA5): each of the six methods after one epoch and after three over the same data. One epoch is a run of its
 * own, with its own schedule: not the third of a longer one.
 *
 * Metrics: `<figure>/<method>/<epochs>`, the figures being those of eval/perplexity.ts.
 */
import { z } from 'zod';
import { defineExperiment } from '../../pipeline/experiment';
import type { ParentRef } from '../../pipeline/experiment';
import { adapterPerplexities } from './adapter-losses';
import { METHOD_NAMES, METHODS, methodsOf } from './methods';
import type { Method } from './methods';
import { withEpochs } from './variants';

type Trained = Exclude<Method, 'sft'>;
const TRAINED = methodsOf('preference', 'reward') as Trained[];

export const epochsExperiment = defineExperiment({
  name: 'omniagent/epochs',
  description: 'perplexities of the six methods after one epoch and after three',
  module: __filename,
  parents: ({ methods, epochs }, profile): ParentRef[] => [
    { name: 'omniagent/data', seed: 0 },
    { name: 'omniagent/stage3_sft', seed: 0 },
    ...methods.flatMap((method) =>
      epochs.map((n) => ({ name: METHODS[method].experiment, config: withEpochs(method, profile, n) })),
    ),
  ],
  schema: z.strictObject({
    methods: z.array(z.enum(METHOD_NAMES).exclude(['sft'])).min(1),
    epochs: z.array(z.number().int().positive()).min(1),
  }),
  // Smoke shows that it works, with one method of each family.
  config: (profile): { methods: Trained[]; epochs: number[] } => ({
    methods: profile === 'smoke' ? ['dpo', 'grpo'] : TRAINED,
    epochs: [1, 3],
  }),
  async run(ctx) {
    const { methods, epochs } = ctx.config;
    const measure = await adapterPerplexities(
      ctx.parent('omniagent/data'),
      ctx.parent('omniagent/stage3_sft'),
      ctx.device,
    );
    const metrics: Record<string, number> = {};
    const trained = ctx.parents.slice(2);
    for (const [i, method] of methods.entries())
      for (const [k, n] of epochs.entries()) {
        const found = await measure(trained[i * epochs.length + k]);
        for (const [name, value] of Object.entries(found)) metrics[`${name}/${method}/${n}`] = value;
        ctx.progress(i * epochs.length + k + 1, trained.length);
      }
    return metrics;
  },
});
