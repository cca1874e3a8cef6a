/**
 * All experiments, and the notebooks that show them. Importing this registers the experiments (each module of this folder is
 * imported here for that), so that they can be run by name.
 */
import type { NotebookEntry } from '../pipeline/notebooks';
import './omniagent/data';
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
import './omni-r1/vqgan';
import './omni-r1/zero';

export { OmniAgentModel } from './agent';
export { omniagentPerplexities } from './paper';
export { bringsWhatWasAsked, heldOutRequests, openCheckpoint, writeRequestMedium } from './omniagent/requests';
export type { HeldOutRequest } from './omniagent/requests';
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
  { path: 'notebooks/OmniAgent_Inference.ipynb', needs: ['omniagent/stage3_sft'], outputs: table('inference') },
  {
    path: 'notebooks/omniagent/preview.ipynb',
    needs: ['omniagent/stage3_sft', 'omniagent/stage4_dpo', 'omniagent/stage4_simpo'],
    outputs: [...figure('training_curves'), ...figure('preference_accuracy'), ...table('preview')],
  },
];
