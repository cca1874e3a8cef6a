/** Autoencoder, UNet and text encoder against diffusers and transformers with the same weights: values and gradients. */
import { flattenTree, gradients, tensor } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import {
  autoencoderInit,
  autoencoderSchema,
  clipText,
  clipTextInit,
  clipTextSchema,
  decodeLatents,
  encodeLatents,
  unet,
  unetConfig,
  unetInit,
} from '../../lib/models';
import type { AutoencoderParams, ClipTextParams, UnetParams } from '../../lib/models';
import { Random } from '../../lib/nn';
import { closeDevices, jit } from '../../lib/runtime';
import { ints, param } from '../nn/golden';
import { assertGolden, filled, golden, gradientKeys } from './golden-diffusion';

/** The gradients of sum(y * dy) that are stored for a case. */
function storedGradients(name: string, y: Tensor, params: unknown, dy = name): Record<string, Tensor> {
  const keys = gradientKeys(name);
  const found = flattenTree(params);
  const grads = gradients(
    y,
    keys.map((k) => found[k.slice(2)]),
    param(`${dy}.dy`, y.shape),
  );
  return Object.fromEntries(keys.map((k, i) => [k, grads[i]]));
}

/** Gradients are sums of large terms of both signs: errors are measured by the largest of the golden values. */
const tolerance = (name: string): number => 1e-6 * Math.max(10, ...Object.values(golden(name)).flat().map(Math.abs));

describe('AutoencoderKL against diffusers', () => {
  after(closeDevices);
  const base = { blockOutChannels: [4, 8], normNumGroups: 2 };
  for (const [name, shape, options] of [
    ['vae', [2, 3, 8, 8], { inChannels: 3, outChannels: 3, latentChannels: 2, layersPerBlock: 2 }],
    [
      'vae.mel',
      [1, 1, 8, 4],
      {
        inChannels: 1,
        outChannels: 1,
        latentChannels: 3,
        layersPerBlock: 1,
        midBlockAddAttention: false,
        useQuantConv: false,
        usePostQuantConv: false,
      },
    ],
  ] as const)
    it(`${name}: distribution, reconstruction, gradients`, async () => {
      const config = autoencoderSchema.parse({ ...base, ...options });
      const step = jit((p: AutoencoderParams) => {
        const latents = encodeLatents(p, config, param(`${name}.x`, shape));
        const y = decodeLatents(p, config, latents.mean);
        return { ...latents, y, ...storedGradients(name, y, p) };
      });
      await assertGolden(name, await step(filled(autoencoderInit(new Random(0), config), name)), tolerance(name));
    });
});

describe('CLIPTextModel against transformers', () => {
  after(closeDevices);
  for (const act of ['quick_gelu', 'gelu'] as const)
    it(`${act}: last hidden states and gradients`, async () => {
      const config = clipTextSchema.parse({
        vocabSize: 19,
        hiddenSize: 8,
        intermediateSize: 12,
        numHiddenLayers: 2,
        numAttentionHeads: 2,
        maxPositionEmbeddings: 7,
        hiddenAct: act,
      });
      const step = jit((p: ClipTextParams) => {
        const y = clipText(p, config, ints('clip.ids', [2, 6], 19));
        return { y, ...storedGradients(`clip.${act}`, y, p, 'clip') };
      });
      await assertGolden(`clip.${act}`, await step(filled(clipTextInit(new Random(0), config), 'clip')));
    });
});

describe('UNet2DConditionModel against diffusers', () => {
  after(closeDevices);
  const base = { inChannels: 3, outChannels: 2, crossAttentionDim: 6, normNumGroups: 2 };
  const configs = {
    unet: unetConfig({ ...base, blockOutChannels: [4, 8], layersPerBlock: 1, attentionHeadDim: 2 }),
    'unet.wide': unetConfig({
      ...base,
      blockOutChannels: [4, 4, 8],
      layersPerBlock: 1,
      attentionHeadDim: [1, 2, 4],
      useLinearProjection: true,
      flipSinToCos: false,
      freqShift: 1,
      transformerLayersPerBlock: 2,
      downBlockTypes: ['DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'],
      upBlockTypes: ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'],
    }),
  };
  for (const [name, config] of Object.entries(configs))
    it(`${name}: prediction, and gradients by weights and context`, async () => {
      const side = name === 'unet' ? 4 : 8;
      const step = jit((p: UnetParams, context: Tensor) => {
        const sample = param(`${name}.x`, [2, 3, side, side]);
        const y = unet(p, config, { sample, timesteps: tensor(Int32Array.of(3, 870)), context });
        const [byContext] = gradients(y, [context], param(`${name}.dy`, y.shape));
        return { y, context: byContext, ...storedGradients(name, y, p) };
      });
      const found = await step(filled(unetInit(new Random(0), config), name), param(`${name}.context`, [2, 5, 6]));
      await assertGolden(name, found, tolerance(name));
    });
});
