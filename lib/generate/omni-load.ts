/** OmniAgent from a checkpoint's folder, ready to answer. */
import { loadFrozenParts, loadOmniAgentParts } from '../models/omniagent-folder';
import { mergePeft } from '../models/peft-folder';
import type { OmniModel } from './omni';

/** Reads the folder, and merges the adapter where there is one. Throws FormatError. */
export async function loadOmniModel(dir: string): Promise<OmniModel> {
  const { config, llama, inputProjector, outputProjectors, tokenizer } = await loadOmniAgentParts(dir);
  const params = llama.peft ? await mergePeft(llama.base, llama.peft) : llama.base;
  return {
    llama: { params, config: llama.config },
    tokenizer,
    ...(inputProjector && config.inputProjector
      ? { input: { config: config.inputProjector, params: inputProjector } }
      : {}),
    ...(outputProjectors && config.outputProjectors
      ? { output: { config: config.outputProjectors, params: outputProjectors } }
      : {}),
    ...(await loadFrozenParts(dir)),
  };
}
