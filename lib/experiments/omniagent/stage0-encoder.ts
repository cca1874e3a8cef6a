/**
 * Stage 0: the joint encoder that the paper downloads (ImageBind-Huge), here trained on OmniWorld's scenes: pictures, sounds,
 * clips and texts in one space. It is frozen afterwards; stage 1 reads its token states.
 */
import path from 'node:path';
import { z } from 'zod';
import { encodeViews, JOINT_VIEWS, probeMetrics, retrievalMetrics } from '../../eval/joint-encoder';
import type { EncodedScenes, JointView } from '../../eval/joint-encoder';
import { countElements } from '../../graph/tree';
import { imageBindSchema, imageBindSizes } from '../../models/imagebind-config';
import { saveEncoder } from '../../models/joint-encoder';
import { JOINT_TOKENS } from '../../models/joint-input';
import { Random } from '../../nn/random';
import { defineExperiment } from '../../pipeline/experiment';
import type { Profile } from '../../pipeline/profile';
import { trainJointEncoder } from '../../trainers/joint-encoder';
import type { JointScenes } from '../../trainers/joint-batch';
import { optimizerSchema } from '../../trainers/optimizer';
import { MODALITIES } from '../../world';
import type { SceneObject, Split } from '../../world';
import { drawGroups, firstScenes, renderScenes, trainJointTokenizer } from './encoder-scenes';
import { profileSizes } from './sizes';

const count = z.number().int().positive();
const schema = z.strictObject({
  /** `text.vocabSize` is an upper bound. */
  model: imageBindSchema,
  optimizer: optimizerSchema,
  /** Groups of near-variants to train on, and scenes in each. */
  groups: count,
  groupSize: count,
  paraphraseShare: z.number().min(0).max(1),
  /** Held-out groups of 50 scenes, and of 8 near-variants. */
  retrievalGroups: count,
  variantGroups: count,
  probe: z.strictObject({ scenes: count, steps: count }),
});
type EncoderConfig = z.infer<typeof schema>;

const optimizer = (c: z.input<typeof optimizerSchema>): z.infer<typeof optimizerSchema> =>
  optimizerSchema.parse({ weightDecay: 0.1, betas: [0.9, 0.98], warmupRatio: 0.1, ...c });

const sizes: Record<Exclude<Profile, 'paper'>, EncoderConfig> = {
  smoke: {
    model: imageBindSchema.parse(imageBindSizes.smoke),
    optimizer: optimizer({ learningRate: 2e-3, batchSize: 64, steps: 60, checkpointEvery: 30 }),
    groups: 128,
    groupSize: 8,
    paraphraseShare: 0.25,
    retrievalGroups: 4,
    variantGroups: 10,
    probe: { scenes: 1024, steps: 100 },
  },
  laptop: {
    model: imageBindSchema.parse(imageBindSizes.laptop),
    optimizer: optimizer({ method: 'muon', learningRate: 1.5e-3, batchSize: 96, steps: 285, checkpointEvery: 100 }),
    groups: 512,
    groupSize: 8,
    paraphraseShare: 0.25,
    retrievalGroups: 10,
    variantGroups: 40,
    probe: { scenes: 2048, steps: 200 },
  },
  gpu: {
    model: imageBindSchema.parse(imageBindSizes.gpu),
    optimizer: optimizer({ learningRate: 5e-4, batchSize: 512, steps: 20000, checkpointEvery: 500 }),
    groups: 16384,
    groupSize: 8,
    paraphraseShare: 0.5,
    retrievalGroups: 40,
    variantGroups: 100,
    probe: { scenes: 8192, steps: 1000 },
  },
};

/** Scenes of a variant group. */
const VARIANTS = 8;
const GROUP = 50;
/** Texts that the tokenizer is trained on. */
const TEXTS = 2000;

export const encoder = defineExperiment({
  name: 'omniagent/stage0_encoder',
  description: 'the joint encoder of pictures, sounds, clips and texts',
  module: __filename,
  schema,
  config: (profile) => {
    // It refuses the paper's sizes: ImageBind-Huge's weights cannot be loaded yet.
    profileSizes(profile);
    return sizes[profile as keyof typeof sizes];
  },
  async run(ctx) {
    const { retrievalGroups, variantGroups, groups, probe, ...config } = ctx.config;
    const { device } = ctx;
    const rng = new Random(ctx.seed, 'encoder');
    const tokenizer = trainJointTokenizer(rng.stream('tokenizer'), TEXTS, config.model.text.vocabSize);
    const eosId = tokenizer.id(JOINT_TOKENS[2]);
    const model = { ...config.model, text: { ...config.model.text, vocabSize: tokenizer.vocabSize, eosId } };

    const draw = (split: Split, n: number, groupSize: number, motion: boolean, name: string): SceneObject[][] =>
      drawGroups(rng.stream(name), split, n, groupSize, motion);
    const render = (list: SceneObject[][], name: string): Promise<JointScenes> =>
      renderScenes(model, tokenizer, list, rng.stream(`${name}/render`), {
        device,
        onProgress: (done, total) => ctx.progress(done, total),
      });
    ctx.message('rendering scenes');
    const { groupSize, optimizer } = config;
    const drawn = draw('train', groups, groupSize, true, 'train');
    const scenes = await render(drawn, 'train');
    const heldGroups = Math.ceil((2 * optimizer.batchSize) / groupSize);
    const heldOut = await render(draw('validation', heldGroups, groupSize, true, 'validation'), 'validation');

    const params = await trainJointEncoder(ctx, { ...config, model, scenes, heldOut, seed: ctx.seed, device });
    await saveEncoder(path.join(ctx.dir, 'encoder'), { config: model, params, tokenizer });

    ctx.message('evaluating on held-out scenes');
    const encode = async (list: SceneObject[][], name: string): Promise<Record<JointView, EncodedScenes>> =>
      (await encodeViews(params, model, await render(list, name), JOINT_VIEWS, { device })) as Record<
        JointView,
        EncodedScenes
      >;
    const tested = draw('test', retrievalGroups * GROUP, 1, false, 'test');
    const test = await encode(tested, 'test');
    const variants = await encode(draw('test', variantGroups, VARIANTS, false, 'variants'), 'variants');
    const known = await encodeViews(params, model, firstScenes(scenes, probe.scenes), MODALITIES, { device });
    return {
      parameters: countElements(params),
      ...retrievalMetrics('retrieval', test, GROUP),
      ...retrievalMetrics('variants', variants, VARIANTS),
      ...(await probeMetrics(
        { encoded: known, objects: drawn.slice(0, probe.scenes) },
        { encoded: test, objects: tested },
        { steps: probe.steps, seed: ctx.seed, device },
      )),
    };
  },
});
