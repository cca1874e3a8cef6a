/** Architectures, one file each: configuration, initial parameters, function. */
export { imageBindSchema, imageBindSizes } from './imagebind-config';
export type { ImageBindConfig } from './imagebind-config';
export { imageBindInit, jointEncode, logitScale } from './imagebind';
export type { ImageBindParams, Joint, JointInputs, JointModality } from './imagebind';
export { llama, llamaBlock, llamaHidden, llamaInit, llamaLinears, llamaLogits, llamaSizes } from './llama';
export type { LayerCache, LlamaBlockParams, LlamaConfig, LlamaInputs, LlamaParams } from './llama';
export { inputProjector, inputProjectorInit, inputProjectorSchema, inputProjectorSizes } from './input-projector';
export type { InputProjectorConfig, InputProjectorParams, MediaStates } from './input-projector';
export { atBlock, filledInputs, fillSlots, outputProjectorsInit, projectBlocks } from './omniagent';
export type { BlockPositions, OutputProjectorsConfig, OutputProjectorsParams } from './omniagent';
export { outputProjector, outputProjectorInit, outputProjectorSchema, outputProjectorSizes } from './output-projector';
export type { OutputProjectorConfig, OutputProjectorParams } from './output-projector';
export { audioldm2 } from './audioldm2';
export { CAPTION_TOKENS, captionIds, captionTensor, trainCaptionTokenizer } from './caption-tokens';
export { decoderSchema, denoise, encodeCaptions, isClipUnet, samplingSchema, soundSchema } from './decoder';
export type { Decoder, DecoderConfig, DecoderParams, SoundConfig } from './decoder';
export { loadDecoder, saveDecoder } from './decoder-folder';
export { clipText, clipTextInit, clipTextSchema, clipTextSizes } from './text-encoder';
export type { ClipLayerParams, ClipTextConfig, ClipTextParams } from './text-encoder';
export {
  timestepEmbedding,
  unet,
  unetConfig,
  unetHeads,
  unetInit,
  unetSchema,
  unetSizes,
  unetTimeEmbedding,
} from './unet';
export {
  unet3d,
  unet3dConfig,
  unet3dConfigFrom,
  unet3dFromUnet,
  unet3dInit,
  unet3dSchema,
  unet3dSizes,
} from './unet-3d';
export type { Unet3dConfig, Unet3dInputs, Unet3dParams } from './unet-3d';
export type { UnetBlockParams, UnetConfig, UnetHooks, UnetInputs, UnetParams } from './unet';
export {
  autoencoderFactor,
  autoencoderInit,
  autoencoderSchema,
  autoencoderSizes,
  decodeLatents,
  encodeLatents,
  sampleLatents,
} from './vae';
export type { AutoencoderConfig, AutoencoderParams, LatentDistribution } from './vae';
export { fromLlamaJson, llamaSchema, toLlamaJson } from './llama-config';
export {
  loadFrozenParts,
  loadOmniAgentParts,
  omniAgentSchema,
  readOmniAgentConfig,
  saveOmniAgent,
} from './omniagent-folder';
export type { FrozenFolders, OmniAgentConfig, OmniAgentParts } from './omniagent-folder';
export { loadPeft, mergePeft, savePeft } from './peft-folder';
export type { Peft } from './peft-folder';
export { packStates } from './media-states';
export type { EncodedMedium } from './media-states';
export { encodeMedia, encodeTexts, loadEncoder, releaseEncoder, saveEncoder } from './joint-encoder';
export type { Encoded, EncodeOptions, JointEncoder } from './joint-encoder';
export { vocoder, vocoderExcitation, vocoderHop, vocoderInit, vocoderSchema, vocoderSizes } from './vocoder';
export type { VocoderBlockParams, VocoderConfig, VocoderParams } from './vocoder';
export { withCopyingHeads } from './llama-copying';
export { principalAutoencoder } from './vae-principal';
export { chameleonInit, chameleonSizes, fromChameleonJson, toChameleonJson } from './chameleon';
export { imageLookBacks, withLookBack } from './chameleon-copying';
export type { LookBack } from './chameleon-copying';
export { codebookOf, pictureCoder } from './omni-r1';
export type { OmniR1, PictureCoder } from './omni-r1';
export { loadOmniR1, saveOmniR1 } from './omni-r1-folder';
export * from './r1-layout';
export * from './r1-template';
export * from './vqgan';
export { vqganStart } from './vqgan-start';
