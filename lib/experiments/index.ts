/**
 * All experiments, and the notebooks that show them. Importing this registers the experiments (each module of this folder is
 * imported here for that), so that they can be run by name.
 */
import type { NotebookEntry } from '../pipeline/notebooks';
import './omniagent/data';
import './omniagent/stage0-audio';
import './omniagent/stage0-backbone';
import './omniagent/stage0-encoder';
import './omniagent/stage1-encode';
import './omniagent/stage2-decode';
import './omniagent/stage3-sft';
import './omniagent/stage4-dpo';
import './omniagent/stage4-simpo';

export { OmniAgentModel } from './agent';
export { omniagentPerplexities } from './paper';
export { currentDevice, currentFigures, currentProfile, currentSeeds, run, runSeeds, watch } from '../pipeline';

const figure = (name: string): string[] => [`${name}.png`, `${name}.svg`];
const table = (name: string): string[] => ['md', 'csv', 'json'].map((extension) => `tables/${name}.${extension}`);

/** What `make reproduce` runs, in order. */
export const notebooks: readonly NotebookEntry[] = [
  { path: 'notebooks/00_tour.ipynb', needs: [], outputs: [] },
  {
    path: 'notebooks/omniagent/preview.ipynb',
    needs: ['omniagent/stage3_sft', 'omniagent/stage4_dpo', 'omniagent/stage4_simpo'],
    outputs: [...figure('training_curves'), ...figure('preference_accuracy'), ...table('preview')],
  },
];
