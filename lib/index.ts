/** OmniLab: train, align and run multimodal language models in TypeScript. */
export * from './errors';
export * from './graph';
export * from './runtime';
export * from './nn';
export * from './models';
export * from './losses';
