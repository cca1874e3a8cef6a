/** Files: read and written strictly, whole or not at all. */
export { readAllJsonl, readJsonl, writeJsonl } from './jsonl';
export { hashFile, writeAtomic, writeFileAtomic, writeFolderAtomic } from './atomic';
export { readHostTensors, readSafetensors, SafetensorsFile, toHostTensor, writeSafetensors } from './safetensors';
export type { StoredArray, StoredTensor, StoredType } from './safetensors';
export { Tokenizer } from './tokenizer';
export { byteAlphabet, trainTokenizer } from './tokenizer-train';
export type { TokenizerTraining } from './tokenizer-train';
export { frameOf } from './media';
export type { Clip, Medium, Picture, Sound } from './media';
export { resample } from './resample';
export { cropClip, cropSquare, pickFrames, resizeClip, resizePicture } from './resize';
