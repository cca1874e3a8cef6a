/** Architectures, one file each: configuration, initial parameters, function. */
export { imageBindSchema, imageBindSizes } from './imagebind-config';
export type { ImageBindConfig } from './imagebind-config';
export { imageBindInit, jointEncode, logitScale } from './imagebind';
export type { ImageBindParams, Joint, JointInputs, JointModality } from './imagebind';
export { llama, llamaBlock, llamaHidden, llamaInit, llamaLogits, llamaSizes } from './llama';
export type { LayerCache, LlamaBlockParams, LlamaConfig, LlamaInputs, LlamaParams } from './llama';
