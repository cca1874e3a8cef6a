/** Stages 1 to 3 on a tiny model: each learns what it should, and changes nothing else. */
import assert from 'node:assert/strict';
import { tensor, treeMap } from '../../lib';
import type { Tensor } from '../../lib';
import { llamaInit, outputProjectorsInit } from '../../lib/models';
import type { EncodedMedium, LlamaConfig, OutputProjectorConfig } from '../../lib/models';
import { inputProjectorInit } from '../../lib/models';
import { embedding, noiseScheduleSchema, normal, Random } from '../../lib/nn';
import {
  memoryContext,
  omniBatch,
  optimizerSchema,
  toHost,
  trainStage1,
  trainStage2,
  trainStage3,
} from '../../lib/trainers';
import type { DiffusionTerm, OmniExample, TextTargets } from '../../lib/trainers';
import { MODALITIES, SIGNALS } from '../../lib/world';
import type { Modality } from '../../lib/world';

const model: LlamaConfig = {
  vocabSize: 48,
  width: 32,
  layers: 2,
  heads: 4,
  kvHeads: 4,
  hidden: 64,
  maxLength: 64,
  ropeBase: 10000,
  normEpsilon: 1e-5,
  tieEmbeddings: false,
};
const SLOT = 1;
/** Signal tokens get ids 20 to 32: <IMG0> ... <VID3>. */
const FIRST: Record<Modality, number> = { image: 20, audio: 25, video: 29 };
const inputConfig = { inWidth: 6, modalities: 3, width: 16, heads: 2, hidden: 32, layers: 1, slots: 2, outWidth: 32 };
const outputConfig = (tokens: number): OutputProjectorConfig => ({
  inWidth: 32,
  tokens,
  width: 16,
  heads: 2,
  hidden: 32,
  encoderLayers: 1,
  decoderLayers: 1,
  queries: 3,
  outWidth: 4,
});
const outputs = { image: outputConfig(5), audio: outputConfig(4), video: outputConfig(4) };

/** Eight media; the answer to medium k is the token 34 + k, and a block that shows it. */
const random = new Random(7);
const media: EncodedMedium[] = Array.from({ length: 8 }, (_, k) => ({
  modality: MODALITIES[k % 3],
  states: random.normals(3 * (k % 3 === 1 ? 4 : 6)),
  length: 3,
}));
const examples: OmniExample[] = media.map((_, k) => {
  const modality = MODALITIES[(k + 1) % 3];
  const block = SIGNALS[modality].tokens.map((_, i) => FIRST[modality] + i);
  const ids = [2, 3, SLOT, SLOT, 4, 34 + k, ...block, 5];
  const mask = ids.map((_, i) => (i >= 5 ? 1 : 0));
  return { ids, mask, media: [{ at: 2, medium: k }], blocks: [{ modality, at: 6, caption: String(k) }] };
});
const shape = { maxLength: 64, slots: 2, width: 6, length: 3 };
const store = (k: number): EncodedMedium => media[k];
const captionTokens = (_: Modality, caption: string): number[] => [caption ? Number(caption) : 9, 10, 11];
const table = tensor(random.normals(12 * 4), { shape: [12, 4] });
const targets: TextTargets<Tensor> = {
  params: { image: table, audio: table, video: table },
  encode: (_, table, captions) => embedding({ weight: table }, captions),
};
const optimizer = optimizerSchema.parse({ learningRate: 0.02, batchSize: 8, steps: 80, checkpointEvery: 30 });
// Weights large enough that the frozen model passes on what stands in its slots.
const base = treeMap(llamaInit(new Random(3), model), (t, path) =>
  path.includes('norm') ? t : normal(new Random(3, path), t.shape, 0.2),
);
const same = async (a: unknown, b: unknown): Promise<void> => assert.deepEqual(await toHost(a), await toHost(b));

describe('trainers: stages 1 to 3', () => {
  it('stage 1 teaches the projector to say which medium it is, and nothing else changes', async () => {
    const before = await toHost(base);
    const context = memoryContext();
    // The answer alone: blocks are stage 2's.
    const captions = examples.map((e) => ({
      ...e,
      ids: Array.from(e.ids).slice(0, 6),
      mask: Array.from(e.mask).slice(0, 6),
      blocks: [],
    }));
    const options = { model, base, inputConfig, optimizer, examples: captions, batch: { shape, store }, seed: 1 };
    const projector = await trainStage1(context, options);
    const { metrics } = context.rows.at(-1)!;
    assert.ok(
      context.rows[0].metrics.loss > 2 && metrics.loss < 0.5,
      `${context.rows[0].metrics.loss} ${metrics.loss}`,
    );
    assert.equal(metrics.mean_token_accuracy, 1);
    assert.deepEqual(await toHost(base), before);

    // From its checkpoint of step 60 it comes to the same.
    const resumed = memoryContext();
    resumed.last = context.last;
    assert.equal(context.last?.step, 60);
    await same(await trainStage1(resumed, options), projector);
    assert.deepEqual(resumed.rows, context.rows.slice(60));
  });

  it('learns with Muon, too, and comes from its checkpoint to the same', async () => {
    const options = {
      model,
      base,
      inputConfig,
      optimizer: { ...optimizer, method: 'muon' as const, steps: 40, checkpointEvery: 25 },
      examples: examples.map((e) => ({ ...e, ids: Array.from(e.ids).slice(0, 6), mask: Array.from(e.mask).slice(0, 6), blocks: [] })), // prettier-ignore
      batch: { shape, store },
      seed: 1,
    };
    const context = memoryContext();
    const projector = await trainStage1(context, options);
    const [first, last] = [context.rows[0].metrics.loss, context.rows.at(-1)!.metrics.loss];
    assert.ok(last < 0.5 * first, `${first} to ${last}`);
    const resumed = memoryContext();
    resumed.last = context.last;
    assert.equal(context.last?.step, 25);
    await same(await trainStage1(resumed, options), projector);
    assert.deepEqual(resumed.rows, context.rows.slice(25));
    // The matrices went another way than AdamW would have led them.
    const other = await trainStage1(memoryContext(), {
      ...options,
      optimizer: { ...options.optimizer, method: 'adamw' },
    });
    await assert.rejects(same(other, projector));
  });

  it('stage 2 aligns the output projectors; of the embeddings only the signals change', async () => {
    const context = memoryContext();
    const { outputProjectors, modules } = await trainStage2(context, {
      model,
      base,
      outputConfig: outputs,
      targets: targets as TextTargets,
      optimizer,
      examples: examples.map((e) => ({ ...e, media: [] })),
      batch: { shape, captionTokens },
      seed: 1,
      signals: { from: 20, to: 33 },
    });
    for (const m of MODALITIES) {
      const [first, last] = [context.rows[0], context.rows.at(-1)!].map((r) => r.metrics[`align/${m}`]);
      assert.ok(last < 0.5 * first, `${m}: ${first} to ${last}`);
    }
    const table = await modules['model.embed_tokens.weight'].numbers();
    const old = await base.model.embed_tokens.weight.numbers();
    for (let id = 0; id < model.vocabSize; id++) {
      const row = (t: ArrayLike<number>): number[] => Array.from({ length: 32 }, (_, i) => t[id * 32 + i]);
      if (id >= 20 && id < 33) assert.notDeepEqual(row(table), row(old), `row ${id}`);
      else assert.deepEqual(row(table), row(old), `row ${id}`);
    }
    assert.ok(Object.keys(await toHost(outputProjectors)).length > 60);
  });

  it('stage 2 reads the captions from what is projected: badly at first, nearly rightly in the end', async () => {
    const train = async (weight: number) => {
      const context = memoryContext();
      await trainStage2(context, {
        model,
        base,
        outputConfig: outputs,
        targets: targets as TextTargets,
        optimizer,
        examples: examples.map((e) => ({ ...e, media: [] })),
        batch: { shape, captionTokens },
        seed: 1,
        signals: { from: 20, to: 33 },
        reading: { weight, vocabularies: { image: 12, audio: 12, video: 12 } },
      });
      return context.rows.map((r) => r.metrics);
    };
    const logged = await train(1);
    for (const m of MODALITIES) {
      const read = logged.map((row) => row[`read/${m}`]);
      // A guess among 12 words has 2.5 nats.
      assert.ok(read[0] > 1.5 && read.at(-1)! < 0.4 * Math.log(12), `${m}: ${read[0]} to ${read.at(-1)}`);
    }
    const parts = ['ce_loss', ...MODALITIES.flatMap((m) => [`align/${m}`, `read/${m}`])];
    for (const { loss, ...row } of [logged[0], logged.at(-1)!])
      assert.ok(Math.abs(parts.reduce((sum, part) => sum + row[part], 0) - loss) < 1e-4 * loss);
    // Without weight nothing is read.
    assert.ok(!('read/image' in (await train(0))[0]));
  });

  it('stage 2 can learn through the frozen decoders: the projector gives what the denoiser needs', async () => {
    const context = memoryContext();
    // A denoiser that knows nothing but its context: it predicts the sample, which the caption alone decides.
    const matrix = tensor(random.normals(12 * 6), { shape: [12, 6] });
    const shown = Array.from({ length: 9 }, () => random.normals(6));
    const latents = { shape: [6], of: (caption: string) => shown[Number(caption)] };
    const scheduler = noiseScheduleSchema.parse({ numTrainTimesteps: 20, predictionType: 'sample' });
    const diffusion: DiffusionTerm<Tensor> = {
      weight: 1,
      params: { image: matrix, audio: matrix, video: matrix },
      predict: (_, matrix, { context }) => context.reshape([-1, 12]).matMul(matrix),
      scheduler: { image: scheduler, audio: scheduler, video: scheduler },
      latents: { image: latents, audio: latents, video: latents },
    };
    await trainStage2(context, {
      model,
      base,
      outputConfig: outputs,
      targets: targets as TextTargets,
      alignWeight: 0.001,
      diffusion: diffusion as DiffusionTerm,
      optimizer,
      examples: examples.map((e) => ({ ...e, media: [] })),
      batch: { shape, captionTokens },
      seed: 1,
      signals: { from: 20, to: 33 },
    });
    for (const m of MODALITIES) {
      const [first, last] = [context.rows[0], context.rows.at(-1)!].map((r) => r.metrics[`diffusion/${m}`]);
      assert.ok(last < 0.3 * first, `${m}: ${first} to ${last}`);
    }
  });

  it('stage 3 trains adapter, modules and projectors together', async () => {
    const context = memoryContext();
    const rng = new Random(5);
    const inputProjector = inputProjectorInit(rng, inputConfig);
    const outputProjectors = outputProjectorsInit(rng, outputs);
    const before = await toHost({ base, inputProjector, outputProjectors });
    const result = await trainStage3(context, {
      model,
      base,
      lora: { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj'] },
      modulesToSave: ['embed_tokens', 'lm_head'],
      inputConfig,
      outputConfig: outputs,
      targets: targets as TextTargets,
      projectorRate: 0.5,
      optimizer,
      examples,
      batch: { shape, store, captionTokens },
      inputProjector,
      outputProjectors,
      seed: 1,
    });
    const [first, last] = [context.rows[0].metrics, context.rows.at(-1)!.metrics];
    assert.ok(last.ce_loss < 0.5 && first.ce_loss > 3, `${first.ce_loss} ${last.ce_loss}`);
    for (const m of MODALITIES) assert.ok(last[`align/${m}`] < 0.7 * first[`align/${m}`], m);
    assert.deepEqual(await toHost({ base, inputProjector, outputProjectors }), before);
    assert.deepEqual(Object.keys(result).sort(), ['adapter', 'inputProjector', 'modules', 'outputProjectors']);
  });

  for (const [name, kept] of [
    ['few', 3],
    ['many', 6],
  ] as const)
    it(`leaves out media and blocks that are not there without changing anything: ${name} of both`, async () => {
      const some = examples.map((e, i) => (i % 8 < kept ? e : { ...e, media: [], blocks: [] }));
      const train = async (packed: boolean) => {
        const context = memoryContext();
        const rng = new Random(5);
        await trainStage3(context, {
          model,
          base,
          lora: { rank: 4, alpha: 8, targets: ['q_proj', 'v_proj'] },
          modulesToSave: [],
          inputConfig,
          outputConfig: outputs,
          targets: targets as TextTargets,
          optimizer: { ...optimizer, learningRate: 1e-3, steps: 3 },
          examples: some,
          batch: { shape, store, captionTokens, packed },
          inputProjector: inputProjectorInit(rng, inputConfig),
          outputProjectors: outputProjectorsInit(rng, outputs),
          seed: 1,
        });
        return context.rows.map((r) => r.metrics);
      };
      const [loose, tight] = [await train(false), await train(true)];
      loose.forEach((row, i) => {
        assert.deepEqual(Object.keys(row).sort(), Object.keys(tight[i]).sort());
        for (const [key, value] of Object.entries(row))
          assert.ok(Math.abs(tight[i][key] - value) < 1e-4 * Math.max(1, Math.abs(value)), `${i} ${key}`);
      });
    });

  it('rows of a packed batch are those that have a medium or a block, half of them where that is enough', () => {
    const some = (kept: number) => examples.map((e, i) => (i < kept ? e : { ...e, media: [], blocks: [] }));
    const rows = (kept: number) => {
      const { input, output } = omniBatch(some(kept), { shape, store, captionTokens, packed: true });
      return [input!.media.states.shape[0], ...MODALITIES.map((m) => output![m].at.shape[0])];
    };
    assert.deepEqual(rows(3), [4, 4, 4, 4]);
    assert.deepEqual(rows(5), [8, 8, 8, 8]);
  });

  it('refuses more media in a sequence than the batch has room for', async () => {
    const crowded = { ...examples[0], media: [examples[0].media[0], examples[0].media[0]] };
    await assert.rejects(
      trainStage1(memoryContext(), {
        model,
        base,
        inputConfig,
        optimizer: { ...optimizer, batchSize: 1 },
        examples: [crowded],
        batch: { shape, store },
        seed: 1,
      }),
      /at most 1 media in a sequence, got 2/,
    );
  });
});
