/** The notebooks: which runs each shows, and what each makes. */
import type { NotebookEntry } from '../pipeline/notebooks';
import { seedRequests } from '../pipeline/requests';
import { METHOD_NAMES, METHODS, methodsOf } from './omniagent/methods';
import type { Method } from './omniagent/methods';
import { resultRequests } from './omniagent/results';
import { r1Request } from './omni-r1/results';
import type { R1Model } from './paper/omni-r1';

const figure = (name: string): string[] => [`${name}.png`, `${name}.svg`];
const table = (name: string): string[] => ['md', 'csv', 'json'].map((extension) => `tables/${name}.${extension}`);

const decoders = ['image', 'audio', 'video'].map((part) => `omniagent/stage0_${part}`);

/** The six trainings of stage 4, and the evaluation of all seven methods. */
const stage4 = methodsOf('preference', 'reward').map((m) => METHODS[m].experiment);
const rewarded = methodsOf('reward').map((m) => METHODS[m].experiment);
const evaluated = ['omniagent/evaluation', ...stage4];

/** The helpers below are `runs` of entries: what the notebooks' calls of the same name ask for. */
type Runs = NonNullable<NotebookEntry['runs']>;
const once =
  (...names: string[]): Runs =>
  () =>
    seedRequests(names, [0]);
const results =
  (methods: readonly Method[], ...more: Runs[]): Runs =>
  (profile, seeds) => [...resultRequests(methods, seeds), ...more.flatMap((runs) => runs(profile, seeds))];
const r1 =
  (models: readonly R1Model[], ...names: string[]): Runs =>
  () => [...seedRequests(names, [0]), ...models.map((model) => r1Request(model))];
/** One seed is enough for the experiment on epochs. */
const epochs: Runs = (_profile, seeds) => seedRequests(['omniagent/epochs'], seeds.slice(0, 1));

/** What the tables of Omni-R1 rest on. */
const omniR1 = ['base', 'pesft', 'perpo', 'zero-sft', 'zero-perpo'].map((part) => `omni-r1/${part}`);

/** What `make reproduce` runs, in order. */
export const notebooks: readonly NotebookEntry[] = [
  { path: 'notebooks/00_tour.ipynb', needs: [], outputs: [] },
  {
    path: 'notebooks/omniagent/stage0.ipynb',
    // The encoder last: stage 2 needs all the others, so that the two are made side by side.
    needs: ['backbone', 'image', 'audio', 'video', 'encoder'].map((part) => `omniagent/stage0_${part}`),
    outputs: [...figure('stage0_retrieval'), ...table('stage0_retrieval'), ...table('stage0_decoders')],
  },
  {
    path: 'notebooks/omniagent/stage1_encode.ipynb',
    needs: ['omniagent/stage1_encode'],
    outputs: [...figure('stage1_curves'), ...table('stage1_captions')],
  },
  {
    path: 'notebooks/omniagent/stage2_decode.ipynb',
    needs: ['omniagent/stage2_decode'],
    runs: once('omniagent/stage2_decode', ...decoders),
    outputs: [...figure('stage2_curves'), ...table('stage2_media')],
  },
  {
    path: 'notebooks/omniagent/stage3_sft.ipynb',
    needs: ['omniagent/stage3_sft'],
    runs: once(
      'omniagent/stage3_sft',
      'omniagent/stage0_encoder',
      ...decoders,
      'omniagent/stage1_encode',
      'omniagent/stage2_decode',
    ),
    outputs: [...figure('stage3_curves'), ...figure('stage3_media'), ...table('omniagent')],
  },
  {
    path: 'notebooks/omniagent/stage4_rl.ipynb',
    needs: rewarded,
    runs: (_profile, seeds) => seedRequests(rewarded, seeds),
    outputs: [
      ...['stage4_reward', 'stage4_kl', 'stage4_entropy', 'stage4_sampling_gap'].flatMap(figure),
      ...table('stage4_rl'),
      ...table('stage4_stability'),
    ],
  },
  { path: 'notebooks/OmniAgent_Inference.ipynb', needs: ['omniagent/stage3_sft'], outputs: table('inference') },
  {
    path: 'notebooks/omniagent/training.ipynb',
    needs: ['omniagent/stage3_sft', ...stage4],
    runs: (_profile, seeds) => [{ name: 'omniagent/stage3_sft', seed: 0 }, ...seedRequests(stage4, seeds)],
    outputs: [
      ...figure('training_curves'),
      ...figure('preference_accuracy'),
      ...figure('training_rewards'),
      ...table('training'),
    ],
  },
  {
    path: 'notebooks/omniagent/table1.ipynb',
    needs: evaluated,
    runs: results(METHOD_NAMES),
    outputs: [...figure('rl_comparison'), ...table('table1'), ...table('differences'), ...table('generation')],
  },
  {
    path: 'notebooks/omniagent/table2.ipynb',
    needs: evaluated,
    runs: results(METHOD_NAMES),
    outputs: [...figure('radar_chart'), ...figure('novel_indices_comparison'), ...table('table2'), ...table('indices')],
  },
  {
    path: 'notebooks/omniagent/table3.ipynb',
    needs: ['omniagent/evaluation', 'omniagent/stage4_simpo', 'omniagent/stage4_mm_dpo'],
    runs: results(['sft', 'simpo', 'mm_dpo']),
    outputs: [...figure('category_breakdown'), ...table('table3')],
  },
  {
    path: 'notebooks/omniagent/pareto.ipynb',
    needs: evaluated,
    runs: results(METHOD_NAMES),
    outputs: [...figure('pareto'), ...table('rkp')],
  },
  {
    path: 'notebooks/omniagent/related_work.ipynb',
    needs: ['omniagent/stage3_sft'],
    outputs: table('related_work'),
  },
  {
    path: 'notebooks/omniagent/ablation.ipynb',
    needs: ['omniagent/ablation', 'omniagent/mm_dpo_weights', ...evaluated],
    runs: results(METHOD_NAMES, once('omniagent/ablation', 'omniagent/mm_dpo_weights')),
    outputs: [
      ...figure('ablation_study'),
      ...figure('mm_dpo_weights'),
      ...table('ablation'),
      ...table('mm_dpo_weights'),
    ],
  },
  {
    path: 'notebooks/omniagent/epochs.ipynb',
    needs: ['omniagent/epochs'],
    runs: epochs,
    outputs: [...figure('epochs'), ...table('epochs')],
  },
  {
    path: 'notebooks/omniagent/search.ipynb',
    needs: ['omniagent/search'],
    outputs: table('search'),
    onRequest: true,
  },
  {
    path: 'notebooks/omniagent/claims.ipynb',
    needs: ['omniagent/epochs', ...evaluated],
    // Its page shows the figures and tables of these.
    after: ['training', 'table1', 'table2', 'table3', 'pareto', 'related_work', 'ablation', 'epochs'].map(
      (name) => `omniagent/${name}`,
    ),
    runs: results(METHOD_NAMES, epochs),
    outputs: ['claims.json', 'index.html', ...table('claims')],
  },
  {
    path: 'notebooks/omni-r1/pesft.ipynb',
    needs: ['omni-r1/vqgan', 'omni-r1/base', 'omni-r1/pesft'],
    runs: r1(['base', 'sft', 'pesft'], 'omni-r1/vqgan'),
    outputs: [...figure('r1_pesft_curves'), ...table('r1_vqgan'), ...table('r1_pesft'), ...table('r1_pictures')],
  },
  {
    path: 'notebooks/omni-r1/perpo.ipynb',
    needs: ['omni-r1/pesft', 'omni-r1/perpo'],
    runs: r1(['pesft', 'm', 'l']),
    outputs: [...figure('r1_perpo_reward'), ...figure('r1_perpo_parts'), ...table('r1_perpo')],
  },
  {
    // Before Zero, and its longest run first: begun last it would be waited for alone.
    path: 'notebooks/omni-r1/table4.ipynb',
    needs: ['omni-r1/zero-sft', 'omni-r1/zero-perpo'],
    runs: r1(['zero_plain', 'zero_m', 'zero_sft']),
    outputs: table('r1_table4'),
  },
  {
    path: 'notebooks/omni-r1/zero.ipynb',
    needs: ['omni-r1/base', 'omni-r1/zero-data', 'omni-r1/zero-sft', 'omni-r1/zero-perpo'],
    runs: r1(['base', 'zero_sft', 'zero_t', 'zero_s', 'zero_m'], 'omni-r1/zero-data'),
    outputs: [...table('r1_zero_data'), ...table('r1_zero')],
  },
  {
    path: 'notebooks/omni-r1/table2.ipynb',
    needs: omniR1,
    runs: r1(['base', 'sft', 'pesft', 'm', 'l', 'zero_t', 'zero_s', 'zero_m']),
    outputs: [...figure('r1_table2'), ...table('r1_table2')],
  },
  {
    path: 'notebooks/omni-r1/experiments.ipynb',
    needs: ['omni-r1/pesft', 'omni-r1/rewards', 'omni-r1/zero-perpo'],
    runs: r1(['sft', 'pesft', 'zero_sft', 'zero_t', 'zero_s', 'zero_m'], 'omni-r1/rewards'),
    outputs: [...figure('r1_tau'), ...table('r1_lambda'), ...table('r1_tau'), ...table('r1_zero_steps')],
  },
  {
    path: 'notebooks/omni-r1/open_questions.ipynb',
    needs: ['omni-r1/pesft', 'omni-r1/rewards', 'omni-r1/zero-sft'],
    runs: r1(['pesft', 'zero_sft'], 'omni-r1/rewards'),
    outputs: [...table('r1_variation'), ...table('r1_errors')],
  },
  {
    path: 'notebooks/omni-r1/claims.ipynb',
    needs: [...omniR1, 'omni-r1/rewards'],
    after: ['pesft', 'perpo', 'zero', 'table2', 'table4', 'experiments', 'open_questions'].map(
      (name) => `omni-r1/${name}`,
    ),
    runs: r1(
      ['base', 'sft', 'pesft', 'm', 'l', 'zero_sft', 'zero_t', 'zero_s', 'zero_m', 'zero_plain'],
      'omni-r1/rewards',
    ),
    outputs: ['claims.json', 'index.html', ...table('r1_claims')],
  },
];
