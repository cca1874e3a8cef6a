/** OmniAgent from a checkpoint's folder, ready to answer. */
import { loadFrozenParts, loadOmniAgentParts } from '../models/omniagent-folder';
import { llamaLinears } from '../models/llama';
import { mergePeft } from '../models/peft-folder';
import { load4Bit } from '../nn/linear-4bit';
import type { OmniModel } from './omni';

export interface LoadOptions {
  /** Hold the weights of the language model's blocks in 4 bits (NF4, with scales in 8 bits): a seventh of the memory. */
  loadIn4bit?: boolean;
}

/** Reads the folder, and merges the adapter where there is one. Throws FormatError. */
export async function loadOmniModel(dir: string, { loadIn4bit = false }: LoadOptions = {}): Promise<OmniModel> {
  const { config, llama, inputProjector, outputProjectors, tokenizer } = await loadOmniAgentParts(dir);
  const whole = llama.peft ? await mergePeft(llama.base, llama.peft) : llama.base;
  const params = loadIn4bit ? await load4Bit(whole, { targets: llamaLinears }) : whole;
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
