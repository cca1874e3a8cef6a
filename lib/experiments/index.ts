/**
 * All experiments, and the notebooks that show them. Importing this registers the experiments (each module of this folder is
 * imported here for that), so that they can be run by name.
 */
import type { NotebookEntry } from '../pipeline/notebooks';
import { METHODS, methodsOf } from './omniagent/methods';
import './omniagent/ablation';
import './omniagent/data';
import './omniagent/epochs';
import './omniagent/evaluation';
import './omniagent/mm-dpo-weights';
import './omniagent/search';
import './omniagent/stage0-audio';
import './omniagent/stage0-backbone';
import './omniagent/stage0-encoder';
import './omniagent/stage0-image';
import './omniagent/stage0-video';
import './omniagent/stage1-encode';
import './omniagent/stage2-decode';
import './omniagent/stage3-sft';
import './omniagent/stage4-dpo';
import './omniagent/stage4-grpo';
import './omniagent/stage4-grpo-plus-plus';
import './omniagent/stage4-mm-dpo';
import './omniagent/stage4-online-grpo';
import './omniagent/stage4-simpo';
import './omni-r1/base';
import './omni-r1/data';
import './omni-r1/perpo';
import './omni-r1/pesft';
import './omni-r1/rewards';
import './omni-r1/vqgan';
import './omni-r1/zero';
import './omni-r1/zero-perpo';

export { OmniAgentModel } from './agent';
export {
  ablationStudy,
  categoryBreakdown,
  novelIndicesComparison,
  paretoPlot,
  radarChart,
  rlComparison,
  runCurve,
  trainingCurves,
} from './omniagent/charts';
export { judgeClaims } from './omniagent/claims';
export type { EpochResults, JudgedClaim } from './omniagent/claims';
export { judgeR1Claims } from './omni-r1/claims';
export type { R1Seed } from './omni-r1/claims';
export { accuracyTable, collectR1, pictureTable, r1Measures, r1Run, tauTable, variationTable } from './omni-r1/results';
export type { R1Measures, R1Results } from './omni-r1/results';
export { TAUS } from './omni-r1/rewards';
export { answerGallery, errorTable, readPictureScores, rolloutGallery } from './omni-r1/show';
export { paperR1, paperR1Claims, R1_MODELS } from './paper/omni-r1';
export { CLAIM_RULE } from './omniagent/decide';
export { languageModelSize } from './omniagent/model-size';
export { METHOD_NAMES, METHODS, methodsOf } from './omniagent/methods';
export type { Method } from './omniagent/methods';
export { collectResults, differencesFrom, meanOf, methodsIn, valuesOf } from './omniagent/results';
export type { Difference, Results } from './omniagent/results';
export {
  differenceTable,
  generationTable,
  indicesTable,
  relatedWorkTable,
  rkpTable,
  table1,
  table2,
  table3,
} from './omniagent/tables';
export * from './paper/omniagent';
export { bringsWhatWasAsked, heldOutRequests, openCheckpoint, writeRequestMedium } from './omniagent/requests';
export type { HeldOutRequest } from './omniagent/requests';
export {
  changedAnswers,
  exampleGroup,
  heldOutResult,
  heldOutTable,
  partsTable,
  readMethod,
  seedCurves,
  stabilityTable,
} from './omniagent/rl-report';
export type { HeldOutResult, RlRuns } from './omniagent/rl-report';
export { settingsTable } from './omniagent/settings';
export {
  agentMeasures,
  captionMeasures,
  CHAIN_TARGETS,
  DECODER_TARGETS,
  mediaMeasures,
  retrievalMatrix,
  retrievalMeasures,
} from './omniagent/targets';
export type { AgentRuns } from './omniagent/targets';
export {
  currentDevice,
  currentFigures,
  currentProfile,
  currentSeeds,
  readSamples,
  run,
  runSeeds,
  watch,
} from '../pipeline';

const figure = (name: string): string[] => [`${name}.png`, `${name}.svg`];
const table = (name: string): string[] => ['md', 'csv', 'json'].map((extension) => `tables/${name}.${extension}`);

/** The six trainings of stage 4, and the evaluation of all seven methods. */
const stage4 = methodsOf('preference', 'reward').map((m) => METHODS[m].experiment);
const evaluated = ['omniagent/evaluation', ...stage4];

/** What the tables of Omni-R1 rest on. */
const omniR1 = ['base', 'pesft', 'perpo', 'zero-sft', 'zero-perpo'].map((part) => `omni-r1/${part}`);

/** What `make reproduce` runs, in order. */
export const notebooks: readonly NotebookEntry[] = [
  { path: 'notebooks/00_tour.ipynb', needs: [], outputs: [] },
  {
    path: 'notebooks/omniagent/stage0.ipynb',
    needs: ['backbone', 'encoder', 'image', 'audio', 'video'].map((part) => `omniagent/stage0_${part}`),
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
    outputs: [...figure('stage2_curves'), ...table('stage2_media')],
  },
  {
    path: 'notebooks/omniagent/stage3_sft.ipynb',
    needs: ['omniagent/stage3_sft'],
    outputs: [...figure('stage3_curves'), ...figure('stage3_media'), ...table('omniagent')],
  },
  {
    path: 'notebooks/omniagent/stage4_rl.ipynb',
    needs: ['grpo', 'grpo_plus', 'online_grpo'].map((name) => `omniagent/stage4_${name}`),
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
    outputs: [...figure('rl_comparison'), ...table('table1'), ...table('differences'), ...table('generation')],
  },
  {
    path: 'notebooks/omniagent/table2.ipynb',
    needs: evaluated,
    outputs: [...figure('radar_chart'), ...figure('novel_indices_comparison'), ...table('table2'), ...table('indices')],
  },
  {
    path: 'notebooks/omniagent/table3.ipynb',
    needs: ['omniagent/evaluation', 'omniagent/stage4_simpo', 'omniagent/stage4_mm_dpo'],
    outputs: [...figure('category_breakdown'), ...table('table3')],
  },
  {
    path: 'notebooks/omniagent/pareto.ipynb',
    needs: evaluated,
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
    after: ['training', 'table1', 'table2', 'table3', 'pareto', 'related_work', 'ablation', 'epochs', 'search'].map(
      (name) => `omniagent/${name}`,
    ),
    outputs: ['claims.json', 'index.html', ...table('claims')],
  },
  {
    path: 'notebooks/omni-r1/pesft.ipynb',
    needs: ['omni-r1/vqgan', 'omni-r1/base', 'omni-r1/pesft'],
    outputs: [...figure('r1_pesft_curves'), ...table('r1_vqgan'), ...table('r1_pesft'), ...table('r1_pictures')],
  },
  {
    path: 'notebooks/omni-r1/perpo.ipynb',
    needs: ['omni-r1/pesft', 'omni-r1/perpo'],
    outputs: [...figure('r1_perpo_reward'), ...figure('r1_perpo_parts'), ...table('r1_perpo')],
  },
  {
    path: 'notebooks/omni-r1/zero.ipynb',
    needs: ['omni-r1/base', 'omni-r1/zero-data', 'omni-r1/zero-sft', 'omni-r1/zero-perpo'],
    outputs: [...table('r1_zero_data'), ...table('r1_zero')],
  },
  {
    path: 'notebooks/omni-r1/table2.ipynb',
    needs: omniR1,
    outputs: [...figure('r1_table2'), ...table('r1_table2')],
  },
  {
    path: 'notebooks/omni-r1/table4.ipynb',
    needs: ['omni-r1/zero-sft', 'omni-r1/zero-perpo'],
    outputs: table('r1_table4'),
  },
  {
    path: 'notebooks/omni-r1/experiments.ipynb',
    needs: ['omni-r1/pesft', 'omni-r1/rewards', 'omni-r1/zero-perpo'],
    outputs: [...figure('r1_tau'), ...table('r1_lambda'), ...table('r1_tau'), ...table('r1_zero_steps')],
  },
  {
    path: 'notebooks/omni-r1/open_questions.ipynb',
    needs: ['omni-r1/pesft', 'omni-r1/rewards', 'omni-r1/zero-sft'],
    outputs: [...table('r1_variation'), ...table('r1_errors')],
  },
  {
    path: 'notebooks/omni-r1/claims.ipynb',
    needs: [...omniR1, 'omni-r1/rewards'],
    after: ['pesft', 'perpo', 'zero', 'table2', 'table4', 'experiments', 'open_questions'].map(
      (name) => `omni-r1/${name}`,
    ),
    outputs: ['claims.json', 'index.html', ...table('r1_claims')],
  },
];
