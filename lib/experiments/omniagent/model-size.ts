/** How large a trained language model is. */
import { countElements } from '../../graph/tree';
import { loadOmniAgentParts } from '../../models/omniagent-folder';
import type { Run } from '../../pipeline/run-result';

/** Weights of the language model in a checkpoint, without its adapter. */
export const languageModelSize = async (run: Pick<Run, 'dir'>): Promise<number> =>
  countElements((await loadOmniAgentParts(run.dir)).llama.base);
