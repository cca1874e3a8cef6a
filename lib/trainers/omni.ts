/**
 * What stages 1, 2 and 3 share: one compiled step over the language model with its projectors, in which each stage says
 * what is trained; the rest is frozen.
 *
 *   loss = cross-entropy of the response + sum over modalities of a alignment (losses/alignment.ts) + d diffusion
 *   (omni-diffusion.ts) + r reading, with weights a, d and r
 *
 * Reading, this project's own addition: the cross-entropy of the caption's tokens, read by a linear layer from what the output
 * projector gives for each of the decoder's positions. A distance says little about which word is meant until it is nearly right;
 * this says it from the start. The layers are thrown away after training.
 *
 * Logged (TRL's names where it has one): loss, ce_loss, align/<modality>, diffusion/<modality>, read/<modality>,
 * mean_token_accuracy, grad_norm, learning_rate.
 */
import type { Tensor } from '../graph/tensor';
import { arange, stopGradient } from '../graph/tensor';
import { valueAndGrad } from '../graph/grad';
import { tensorsOf } from '../graph/tree';
import { alignmentLoss } from '../losses/alignment';
import { crossEntropy } from '../losses/cross-entropy';
import { inputProjector } from '../models/input-projector';
import type { InputProjectorConfig, InputProjectorParams } from '../models/input-projector';
import { llamaHidden, llamaLogits } from '../models/llama';
import type { LlamaConfig, LlamaParams } from '../models/llama';
import { fillSlots, projectBlocks } from '../models/omniagent';
import type { OutputProjectorsConfig, OutputProjectorsParams } from '../models/omniagent';
import { adamWInit } from '../nn/adamw';
import type { AdamWState } from '../nn/adamw';
import { clipFactor } from '../nn/clip';
import { embedding, linear } from '../nn/linear';
import type { LinearParams } from '../nn/linear';
import { withLora } from '../nn/lora';
import type { LoraAdapter, LoraConfig } from '../nn/lora';
import { replaceModules } from '../nn/modules';
import type { SavedModules } from '../nn/modules';
import { Random } from '../nn/random';
import { jit } from '../runtime/jit';
import { MODALITIES } from '../world/signals';
import type { Modality } from '../world/signals';
import { groupedIndices } from './batches';
import { compiled } from './context';
import type { TrainContext, TrainMetrics } from './context';
import { trainLoop } from './loop';
import { readMetrics } from './metrics';
import { omniBatch } from './omni-batch';
import type { OmniBatch, OmniBatchOptions, OmniExample } from './omni-batch';
import { denoiseBatches, denoiseLoss } from './omni-diffusion';
import type { DenoiseBatch, DiffusionTerm } from './omni-diffusion';
import { applyUpdate, stepScalars } from './optimizer';
import type { OptimizerConfig, StepScalars } from './optimizer';

/** The parts that a stage may train. Empty trees (no adapter, no modules) are allowed. */
export type OmniParts = {
  adapter?: LoraAdapter;
  modules?: SavedModules;
  inputProjector?: InputProjectorParams;
  outputProjectors?: OutputProjectorsParams;
  /** From a decoder's conditioning [width] to its vocabulary. */
  captionReaders?: Record<Modality, LinearParams>;
};

/** Gives a modality's conditioning targets from its caption tokens [R, L]: the decoder's frozen text encoder. */
export interface TextTargets<P = unknown> {
  params: Record<Modality, P>;
  encode: (modality: Modality, params: P, captions: Tensor) => Tensor;
}

export interface OmniOptions {
  model: LlamaConfig;
  /** The frozen language model. */
  base: LlamaParams;
  /** With an adapter: its configuration. */
  lora?: LoraConfig;
  inputConfig?: InputProjectorConfig;
  outputConfig?: OutputProjectorsConfig;
  /** What is trained. */
  trained: OmniParts;
  /** What is used but not trained. */
  frozen: Pick<OmniParts, 'inputProjector' | 'outputProjectors'>;
  targets?: TextTargets;
  /** Weight of the alignment; that of the cross-entropy is 1. Default 1. */
  alignWeight?: number;
  /** Weight of reading the captions, if `captionReaders` are trained. Default 0. */
  readWeight?: number;
  /** The optional loss through the frozen decoders. */
  diffusion?: DiffusionTerm;
  /** Share of the learning rate for the projectors (NExT-GPT: 0.1 in stage 3). Default 1. */
  projectorRate?: number;
  /** How the projectors' matrices are updated. Default: as the rest. */
  projectorMethod?: OptimizerConfig['method'];
  /** Batches of several kinds of examples: see `groupedIndices`. Default false. */
  mixedBatches?: boolean;
  /** Only these rows of trained embeddings change; default: all. */
  rows?: { from: number; to: number };
  optimizer: OptimizerConfig;
  examples: readonly OmniExample[];
  batch: OmniBatchOptions;
  seed: number;
  device?: string;
  /** Called at the start, at the end, and ten times between: what held-out samples say. */
  evaluate?: (parts: OmniParts, step: number) => Promise<TrainMetrics>;
}

/** The language model as it is while it is trained. Use it inside a traced function. */
export const tunedLanguageModel = (base: LlamaParams, parts: OmniParts, lora?: LoraConfig): LlamaParams => {
  const replaced = parts.modules ? replaceModules(base, parts.modules) : base;
  return parts.adapter && lora ? withLora(replaced, parts.adapter, lora) : replaced;
};

/** Parameters of the decoders' parts that a loss goes through. */
export type FrozenDecoders = {
  textEncoders: Record<Modality, unknown> | null;
  denoisers: Record<Modality, unknown> | null;
};
/** A batch, with noised latents where the decoders' own loss is asked for. */
export type OmniStepBatch = OmniBatch & { denoise?: Record<Modality, DenoiseBatch> };

/** The losses of a batch. */
export function omniLoss(
  o: Pick<
    OmniOptions,
    'model' | 'lora' | 'inputConfig' | 'outputConfig' | 'targets' | 'alignWeight' | 'readWeight' | 'diffusion'
  >,
  parts: OmniParts,
  base: LlamaParams,
  frozen: FrozenDecoders,
  b: OmniStepBatch,
): { loss: Tensor; [metric: string]: Tensor } {
  const p = tunedLanguageModel(base, parts, o.lora);
  const tokens = embedding(p.model.embed_tokens, b.ids);
  const embeddings =
    b.input && parts.inputProjector && o.inputConfig
      ? fillSlots(tokens, b.input.slots, inputProjector(parts.inputProjector, o.inputConfig, b.input.media))
      : tokens;
  const hidden = llamaHidden(p, o.model, { embeddings });
  const logits = llamaLogits(p, hidden);
  const { loss: ce, count } = crossEntropy(logits, b.labels, b.mask);
  const right = logits.argMax(-1).equal(b.labels).cast('float32').mul(b.mask).sum();
  const metrics: Record<string, Tensor> = { ce_loss: ce, mean_token_accuracy: right.div(count.maximum(1)) };
  let loss = ce;
  if (b.output && parts.outputProjectors && o.outputConfig && o.targets && frozen.textEncoders)
    for (const m of MODALITIES) {
      const { at, present, captions } = b.output[m];
      const projected = projectBlocks(parts.outputProjectors[m], o.outputConfig[m], hidden, tokens, at);
      const target = stopGradient(o.targets.encode(m, frozen.textEncoders[m], captions));
      const align = alignmentLoss(projected, target, present);
      metrics[`align/${m}`] = align;
      loss = loss.add(align.mul(o.alignWeight ?? 1));
      if (parts.captionReaders && o.readWeight) {
        // Padding's id is 0 (models/caption-tokens.ts).
        const words = captions.greater(0).cast('float32').mul(present.unsqueeze(1));
        const { loss: read } = crossEntropy(linear(parts.captionReaders[m], projected), captions, words);
        metrics[`read/${m}`] = read;
        loss = loss.add(read.mul(o.readWeight));
      }
      if (!o.diffusion || !frozen.denoisers || !b.denoise) continue;
      const denoise = denoiseLoss(o.diffusion, m, frozen.denoisers[m], b.denoise[m], projected, present);
      metrics[`diffusion/${m}`] = denoise;
      loss = loss.add(denoise.mul(o.diffusion.weight));
    }
  return { ...metrics, loss };
}

/** Gradients of embeddings, but for the rows that may change, are zero: AdamW then leaves them as they are. */
function keepRows(grads: OmniParts, base: LlamaParams, rows: OmniOptions['rows']): OmniParts {
  if (!rows || !grads.modules) return grads;
  const vocabulary = base.model.embed_tokens.weight.shape[0];
  const keep = rowMask(vocabulary, rows);
  return {
    ...grads,
    modules: Object.fromEntries(Object.entries(grads.modules).map(([path, g]) => [path, g.mul(keep)])),
  };
}

const rowMask = (count: number, { from, to }: { from: number; to: number }): Tensor => {
  const index = arange(count).unsqueeze(1);
  return index.greaterOrEqual(from).and(index.less(to)).cast('float32');
};

/** Trains the parts of a stage and returns them. */
export async function trainOmni(context: TrainContext, name: string, o: OmniOptions): Promise<OmniParts> {
  const { optimizer, device, projectorRate = 1, projectorMethod = o.optimizer.method } = o;
  const rng = new Random(o.seed, name);
  const order = rng.stream('order');
  const decoders: FrozenDecoders = {
    textEncoders: o.targets?.params ?? null,
    denoisers: o.diffusion?.params ?? null,
  };
  const lengths = o.examples.map((e) => e.ids.length);
  const { adapter, modules, ...projectors } = o.trained;
  const trained: Trained = { language: dropEmpty({ adapter, modules }), projectors: dropEmpty(projectors) };

  const step = jit(
    (
      t: Trained,
      s: AdamWState<Trained>,
      base: LlamaParams,
      frozen: OmniOptions['frozen'],
      decoders: FrozenDecoders,
      batch: OmniStepBatch,
      scalars: StepScalars<Tensor>,
      slower: StepScalars<Tensor>,
    ) => {
      const { value, grads } = valueAndGrad((t: Trained) =>
        omniLoss(o, { ...frozen, ...t.language, ...t.projectors }, base, decoders, batch),
      )(t);
      const kept = { ...grads, language: keepRows(grads.language, base, o.rows) };
      // Clipped apart: the alignment's gradient in the projectors, the largest by far, would leave the language model little.
      const norms: Tensor[] = [];
      const part = <K extends keyof Trained>(k: K, rates: StepScalars<Tensor>, method = optimizer.method) => {
        if (!tensorsOf(t[k]).length) return { params: t[k], state: { m: s.m[k], v: s.v[k] } };
        const { factor, norm } = clipFactor(kept[k], optimizer.maxGradNorm);
        norms.push(norm);
        return applyUpdate({ ...optimizer, method }, t[k], kept[k], { m: s.m[k], v: s.v[k] }, rates, factor);
      };
      const language = part('language', scalars);
      const other = part('projectors', slower, projectorMethod);
      const norm = norms.reduce((a, b) => a.square().add(b.square()).sqrt());
      return {
        trained: { language: language.params, projectors: other.params },
        adam: {
          m: { language: language.state.m, projectors: other.state.m },
          v: { language: language.state.v, projectors: other.state.v },
        },
        metrics: { ...value, grad_norm: norm },
      };
    },
    { donate: [0, 1], device, ...compiled(context, `${name} step`) },
  );

  const { evaluate } = o;
  const state = await trainLoop(context, {
    name,
    totalSteps: optimizer.steps,
    checkpointEvery: optimizer.checkpointEvery,
    state: { trained, adam: adamWInit(trained) },
    evaluateEvery: Math.max(1, Math.floor(optimizer.steps / 5)),
    evaluate:
      evaluate && (({ trained }, step) => evaluate({ ...o.frozen, ...trained.language, ...trained.projectors }, step)),
    step: async ({ trained, adam }, i) => {
      const { learningRate, scalars } = stepScalars(optimizer, i);
      const slower = stepScalars({ ...optimizer, learningRate: optimizer.learningRate * projectorRate }, i).scalars;
      const rows = groupedIndices(order, lengths, optimizer.batchSize, i, { mixed: o.mixedBatches });
      const examples = rows.map((r) => o.examples[r]);
      // Noised latents are in the order of the examples.
      const batch: OmniStepBatch = omniBatch(examples, { packed: !o.diffusion, ...o.batch });
      if (o.diffusion) batch.denoise = denoiseBatches(o.diffusion, examples, rng.stream('noise').stream(i));
      const out = await step(trained, adam, o.base, o.frozen, decoders, batch, scalars, slower);
      const metrics = await readMetrics(out.metrics);
      // A batch without blocks of a modality says nothing of it.
      for (const m of MODALITIES)
        if (!examples.some((e) => e.blocks.some((b) => b.modality === m)))
          for (const name of ['align', 'read', 'diffusion']) delete metrics[`${name}/${m}`];
      return { state: { trained: out.trained, adam: out.adam }, metrics: { ...metrics, learning_rate: learningRate } };
    },
  });
  step.release();
  return { ...state.trained.language, ...state.trained.projectors };
}

type Trained = {
  language: Pick<OmniParts, 'adapter' | 'modules'>;
  projectors: Pick<OmniParts, 'inputProjector' | 'outputProjectors'>;
};

const dropEmpty = <T extends object>(parts: T): T =>
  Object.fromEntries(Object.entries(parts).filter(([, v]) => v !== undefined)) as T;
