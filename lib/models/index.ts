/** Architectures, one file each: configuration, initial parameters, function. */
export { llama, llamaBlock, llamaHidden, llamaInit, llamaLogits, llamaSizes } from './llama';
export type { LayerCache, LlamaBlockParams, LlamaConfig, LlamaInputs, LlamaParams } from './llama';
