/** Architectures, one file each: configuration, initial parameters, function. */
export { imageBindSchema, imageBindSizes } from './imagebind-config';
export type { ImageBindConfig } from './imagebind-config';
export { imageBindInit, jointEncode, logitScale } from './imagebind';
export type { ImageBindParams, Joint, JointInputs, JointModality } from './imagebind';
export { llama, llamaBlock, llamaHidden, llamaInit, llamaLogits, llamaSizes } from './llama';
export type { LayerCache, LlamaBlockParams, LlamaConfig, LlamaInputs, LlamaParams } from './llama';
export { inputProjector, inputProjectorInit, inputProjectorSizes } from './input-projector';
export type { InputProjectorConfig, InputProjectorParams, MediaStates } from './input-projector';
export { atBlock, fillSlots, outputProjectorsInit, projectBlocks } from './omniagent';
export type { BlockPositions, OutputProjectorsConfig, OutputProjectorsParams } from './omniagent';
export { outputProjector, outputProjectorInit, outputProjectorSizes } from './output-projector';
export type { OutputProjectorConfig, OutputProjectorParams } from './output-projector';
