/** Stage 3: instruction tuning of adapter, embeddings, head and projectors; then the whole agent is measured. */
import { z } from 'zod';
import { taskFaults } from '../../eval/agent-tasks';
import { releaseMediaPrograms } from '../../generate/diffusion';
import type { OmniModel } from '../../generate/omni';
import { countElements } from '../../graph/tree';
import { loadEncoder, releaseEncoder } from '../../models/joint-encoder';
import { loadOmniAgentParts, saveOmniAgent } from '../../models/omniagent-folder';
import { mergePeft } from '../../models/peft-folder';
import { defineExperiment } from '../../pipeline/experiment';
import { optimizerSchema } from '../../trainers/optimizer';
import { trainStage3 } from '../../trainers/stage3-sft';
import { makeEncyclopaedia, MODALITIES } from '../../world';
import { ANSWER_LIMITS, answersSchema, answerSizes, evaluate } from './evaluate';
import { illustrate } from './illustrate';
import {
  decoderFolder,
  encoderFolder,
  encodeScenes,
  loadDecoders,
  loadOmniExamples,
  measurePerplexities,
} from './load';
import { saveSamples } from './samples';
import { loraSchema, modelSchema, profileSizes, worldSchema } from './sizes';
import { captionTokensOf, decoderParents, textTargets } from './stage2-decode';

export const stage3 = defineExperiment({
  name: 'omniagent/stage3_sft',
  description: 'instruction tuning: LoRA, embeddings, head and projectors',
  module: __filename,
  parents: [
    'omniagent/data',
    'omniagent/stage0_encoder',
    ...decoderParents,
    'omniagent/stage1_encode',
    'omniagent/stage2_decode',
  ],
  schema: z.strictObject({
    model: modelSchema,
    lora: loraSchema,
    optimizer: optimizerSchema,
    alignWeight: z.number().min(0),
    /** Share of the learning rate for the projectors, and how their matrices are updated. */
    projectorRate: z.number().positive(),
    projectorMethod: optimizerSchema.shape.method,
    world: worldSchema.pick({ places: true, slots: true }),
    evaluation: answersSchema,
  }),
  config: (profile) => {
    const { model, world, sft: optimizer, sftLora: lora, sftProjectorRate: projectorRate } = profileSizes(profile);
    const { places, slots } = world;
    // NExT-GPT: 2e-4 for the adapter, 2e-5 for the projectors, which start trained. Here they have had minutes, not days. Muon
    // would take a quarter of a step's time for them.
    return {
      model,
      lora,
      optimizer,
      alignWeight: 0.1,
      projectorRate,
      projectorMethod: 'adamw' as const,
      world: { places, slots },
      evaluation: answerSizes[profile === 'paper' ? 'gpu' : profile],
    };
  },
  async run(ctx) {
    const { model, lora, optimizer, world } = ctx.config;
    const { device, seed } = ctx;
    const data = ctx.parent('omniagent/data');
    const encode = await loadOmniAgentParts(ctx.parent('omniagent/stage1_encode').dir);
    const decode = await loadOmniAgentParts(ctx.parent('omniagent/stage2_decode').dir);
    const { peft: aligned } = decode.llama;
    const base = aligned ? await mergePeft(decode.llama.base, aligned) : decode.llama.base;
    const frozen = {
      encoder: encoderFolder(ctx.parent('omniagent/stage0_encoder')),
      decoders: Object.fromEntries(MODALITIES.map((m) => [m, decoderFolder(ctx.parent(`omniagent/stage0_${m}`))])),
    };
    const encoder = await loadEncoder(frozen.encoder);
    const decoders = await loadDecoders((name) => ctx.parent(name));
    const input = { config: encode.config.inputProjector!, params: encode.inputProjector! };
    const output = { config: decode.config.outputProjectors!, params: decode.outputProjectors! };

    const all = await loadOmniExamples(data, 'instructions');
    const train = { ...all, examples: all.examples.slice(0, optimizer.steps * optimizer.batchSize) };
    const evaluation = await loadOmniExamples(data, 'evaluation');
    ctx.message('encoding the media');
    const store = await encodeScenes(encoder, train, {
      device,
      onProgress: (done, total) => ctx.progress(done, total),
    });
    const heldStore = await encodeScenes(encoder, evaluation, { device });
    const length = Math.max(store.length, heldStore.length);
    const shape = { maxLength: model.maxLength, slots: world.slots, width: input.config.inWidth, length };
    const captionTokens = captionTokensOf(decoders);
    const batch = { shape, store: store.get, captionTokens };

    const before = await measurePerplexities(data, base, model, { encoder, input }, device);
    // One of each modality, to be looked at while training goes on.
    const few = MODALITIES.map((m) => evaluation.examples.find((e) => e.blocks.some((b) => b.modality === m))!);
    const result = await trainStage3(ctx, {
      model,
      base,
      lora,
      modulesToSave: lora.modulesToSave,
      inputConfig: input.config,
      outputConfig: output.config,
      targets: textTargets(decoders),
      alignWeight: ctx.config.alignWeight,
      projectorRate: ctx.config.projectorRate,
      projectorMethod: ctx.config.projectorMethod,
      optimizer,
      examples: train.examples,
      batch,
      inputProjector: input.params,
      outputProjectors: output.params,
      seed,
      device,
      evaluate: async (parts, step) => {
        const options = { model, base, lora, inputConfig: input.config, outputConfig: output.config, parts };
        const metrics = await illustrate(
          ctx,
          decoders,
          { ...options, batch: { ...batch, store: heldStore.get } },
          few,
          `training/${step}`,
        );
        return Object.fromEntries(MODALITIES.map((m) => [`eval/${m}/colour`, metrics[`${m}/colour`]]));
      },
    });

    const peft = { adapter: result.adapter, modules: result.modules, lora };
    const { inputProjector, outputProjectors } = result;
    await saveOmniAgent(
      ctx.dir,
      {
        config: {
          model_type: 'omniagent',
          stage: 'stage3_sft',
          inputProjector: input.config,
          outputProjectors: output.config,
          encyclopaedia: { seed, places: world.places },
        },
        llama: { config: model, base, peft },
        inputProjector,
        outputProjectors,
        tokenizer: encode.tokenizer,
      },
      frozen,
    );

    ctx.message('evaluating on the 300 samples');
    const agent: OmniModel = {
      llama: { params: await mergePeft(base, peft), config: model },
      tokenizer: encode.tokenizer,
      encoder,
      input: { ...input, params: inputProjector },
      output: { ...output, params: outputProjectors },
      decoders,
    };
    const found = await evaluate(data, agent, agent.llama.params, {
      ...ANSWER_LIMITS,
      ...ctx.config.evaluation,
      seed,
      device,
      message: (text) => ctx.message(text),
    });
    const asked = found.answers.map(({ sample }) => sample);
    const given = found.answers.map(({ answer }) => answer);
    await ctx.saveJson(
      'answers',
      asked.map((s, i) => ({ id: s.record.id, prompt: s.prompt, turns: given[i].turns })),
    );
    await ctx.saveJson('faults', taskFaults(makeEncyclopaedia(seed, world.places), asked, given));
    await saveSamples(ctx.dir, 'samples', found.media);
    releaseEncoder(encoder);
    releaseMediaPrograms();
    return {
      parameters: countElements({ ...result.adapter, inputProjector, outputProjectors }),
      ...found.metrics,
      'backbone/ppl': before.ppl,
    };
  },
});
