/**
 * The denoiser of clips (Wang et al. 2023, "ModelScope text-to-video technical report"): a picture's UNet whose every residual
 * block is followed by convolutions over the frames, and every attention block by attention among them. Architecture and
 * parameter names are those of diffusers' `UNet3DConditionModel`. Its spatial part is `unet` as it stands, so it can begin with
 * the weights of a trained picture UNet (`unet3dFromUnet`), as the published model began with Stable Diffusion's.
 */
import { z } from 'zod';
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';
import type { Noise } from '../nn/init';
import { temporalConv, temporalConvInit, temporalTransformer, temporalTransformerInit } from '../nn/temporal';
import type { TemporalConvParams, TemporalTransformerParams } from '../nn/temporal';
import { unet, unetConfig, unetHeads, unetInit } from './unet';
import type { UnetBlockParams, UnetConfig, UnetParams } from './unet';

const count = z.number().int().positive();
/** diffusers' configuration, in camel case. */
export const unet3dSchema = z.strictObject({
  inChannels: count,
  outChannels: count,
  /** One a resolution, the highest first; those with CrossAttn in their name look at the caption. */
  downBlockTypes: z.array(z.enum(['CrossAttnDownBlock3D', 'DownBlock3D'])).min(1),
  upBlockTypes: z.array(z.enum(['CrossAttnUpBlock3D', 'UpBlock3D'])).min(1),
  blockOutChannels: z.array(count).min(1),
  layersPerBlock: count,
  crossAttentionDim: count,
  /**
   * Width of a head: of all, or one a resolution (a form that diffusers does not load); `transformer_in`, which has 8 heads,
   * takes the first.
   */
  attentionHeadDim: z.union([count, z.array(count).min(1)]),
  normNumGroups: count,
  normEps: z.number().positive().default(1e-5),
  /** Height and width of the latents; informative. */
  sampleSize: count.optional(),
  /** Frames know their numbers, as AnimateDiff's do; diffusers' UNet3DConditionModel has no such form. */
  framePositions: z.boolean().optional(),
});
export type Unet3dConfig = z.infer<typeof unet3dSchema>;

/** A configuration; down and up blocks with attention at every resolution but the lowest, as the published model has. */
export function unet3dConfig(c: Partial<z.input<typeof unet3dSchema>> & { blockOutChannels: number[] }): Unet3dConfig {
  const n = c.blockOutChannels.length;
  return unet3dSchema.parse({
    inChannels: 4,
    outChannels: 4,
    layersPerBlock: 2,
    crossAttentionDim: 1024,
    attentionHeadDim: 64,
    normNumGroups: 32,
    downBlockTypes: c.blockOutChannels.map((_, i) => (i < n - 1 ? 'CrossAttnDownBlock3D' : 'DownBlock3D')),
    upBlockTypes: c.blockOutChannels.map((_, i) => (i > 0 ? 'CrossAttnUpBlock3D' : 'UpBlock3D')),
    ...c,
  });
}

/** Sizes from the tests' to ModelScope's (1.4 billion parameters). */
export const unet3dSizes: Record<'nano' | 'gpu' | 'modelscope', Unet3dConfig> = {
  nano: unet3dConfig({
    blockOutChannels: [32, 64],
    layersPerBlock: 1,
    crossAttentionDim: 64,
    attentionHeadDim: 16,
    normNumGroups: 8,
    sampleSize: 8,
  }),
  gpu: unet3dConfig({ blockOutChannels: [128, 256, 256], crossAttentionDim: 384, sampleSize: 16 }),
  modelscope: unet3dConfig({ blockOutChannels: [320, 640, 1280, 1280], sampleSize: 32 }),
};

export type Unet3dBlockParams = UnetBlockParams & {
  temp_convs: TemporalConvParams[];
  temp_attentions?: TemporalTransformerParams[];
};
export type Unet3dParams = Omit<UnetParams, 'down_blocks' | 'mid_block' | 'up_blocks'> & {
  transformer_in: TemporalTransformerParams;
  down_blocks: Unet3dBlockParams[];
  mid_block: Unet3dBlockParams;
  up_blocks: Unet3dBlockParams[];
};

/** Heads of `transformer_in`, whatever the configuration says. */
const HEADS_IN = 8;

/** Width of a head at each resolution. */
function headWidths({ attentionHeadDim, blockOutChannels }: Unet3dConfig): number[] {
  const widths = blockOutChannels.map((_, i) =>
    typeof attentionHeadDim === 'number' ? attentionHeadDim : attentionHeadDim[i],
  );
  if (blockOutChannels.some((n, i) => !widths[i] || n % widths[i]))
    throw new ArgumentError(
      'unet3d',
      `expected widths of heads that divide [${blockOutChannels.join(', ')}], got [${widths.join(', ')}]`,
      'check attentionHeadDim: one width, or one a resolution',
    );
  return widths;
}

/** The configuration of the spatial part, which gives numbers of heads, not widths. */
export const spatialConfig = ({ framePositions: _, ...c }: Unet3dConfig): UnetConfig =>
  unetConfig({
    ...c,
    downBlockTypes: c.downBlockTypes.map((t) => (t === 'DownBlock3D' ? 'DownBlock2D' : 'CrossAttnDownBlock2D')),
    upBlockTypes: c.upBlockTypes.map((t) => (t === 'UpBlock3D' ? 'UpBlock2D' : 'CrossAttnUpBlock2D')),
    attentionHeadDim: headWidths(c).map((w, i) => c.blockOutChannels[i] / w),
    useLinearProjection: true,
  });

/** Puts layers over frames behind those of a picture's UNet; they start as identities. */
function withFrames(rng: Noise, c: Unet3dConfig, spatial: UnetParams): Unet3dParams {
  const block = (b: UnetBlockParams): Unet3dBlockParams => ({
    ...b,
    temp_convs: b.resnets.map(({ conv2 }) => temporalConvInit(rng, conv2.weight.shape[0])),
    ...(b.attentions
      ? { temp_attentions: b.attentions.map(({ norm }) => temporalTransformerInit(rng, norm.weight.size)) }
      : {}),
  });
  return {
    ...spatial,
    transformer_in: temporalTransformerInit(rng, c.blockOutChannels[0], { width: HEADS_IN * headWidths(c)[0] }),
    down_blocks: spatial.down_blocks.map(block),
    mid_block: block(spatial.mid_block),
    up_blocks: spatial.up_blocks.map(block),
  };
}

/** Initial values: those of `unetInit`, and layers over frames that change nothing at first. */
export const unet3dInit = (rng: Noise, c: Unet3dConfig): Unet3dParams =>
  withFrames(rng, c, unetInit(rng, spatialConfig(c)));

/** The configuration of a clip UNet around a picture UNet of the given one. Throws ArgumentError where there is none. */
export function unet3dConfigFrom(c: UnetConfig, { framePositions }: { framePositions?: boolean } = {}): Unet3dConfig {
  if (c.transformerLayersPerBlock !== 1 || !c.flipSinToCos || c.freqShift !== 0)
    throw new ArgumentError(
      'unet3dConfigFrom',
      'expected a UNet with one transformer layer a block and cosines first without shift, got ' +
        `${c.transformerLayersPerBlock} layers, flipSinToCos ${c.flipSinToCos}, freqShift ${c.freqShift}`,
      "diffusers' UNet3DConditionModel has no other form: train the picture's UNet in it",
    );
  const widths = unetHeads(c).map((heads, i) => c.blockOutChannels[i] / heads);
  return unet3dConfig({
    inChannels: c.inChannels,
    outChannels: c.outChannels,
    downBlockTypes: c.downBlockTypes.map((t) => (t === 'DownBlock2D' ? 'DownBlock3D' : 'CrossAttnDownBlock3D')),
    upBlockTypes: c.upBlockTypes.map((t) => (t === 'UpBlock2D' ? 'UpBlock3D' : 'CrossAttnUpBlock3D')),
    blockOutChannels: c.blockOutChannels,
    layersPerBlock: c.layersPerBlock,
    crossAttentionDim: c.crossAttentionDim,
    attentionHeadDim: widths.every((w) => w === widths[0]) ? widths[0] : widths,
    normNumGroups: c.normNumGroups,
    normEps: c.normEps,
    sampleSize: c.sampleSize,
    ...(framePositions ? { framePositions } : {}),
  });
}

/**
 * A clip UNet that begins with the weights of a picture UNet: at first each frame is denoised as a picture of its own. The 1x1
 * convolutions around the attention blocks become the linear layers that this architecture has there: the same products.
 */
export function unet3dFromUnet(rng: Noise, c: UnetConfig, params: UnetParams): Unet3dParams {
  const block = (b: UnetBlockParams): UnetBlockParams => ({
    ...b,
    ...(b.attentions
      ? {
          attentions: b.attentions.map((a) => ({
            ...a,
            proj_in: { ...a.proj_in, weight: a.proj_in.weight.reshape(a.proj_in.weight.shape.slice(0, 2)) },
            proj_out: { ...a.proj_out, weight: a.proj_out.weight.reshape(a.proj_out.weight.shape.slice(0, 2)) },
          })),
        }
      : {}),
  });
  const spatial = {
    ...params,
    down_blocks: params.down_blocks.map(block),
    mid_block: block(params.mid_block),
    up_blocks: params.up_blocks.map(block),
  };
  return withFrames(rng, unet3dConfigFrom(c), spatial);
}

export interface Unet3dInputs {
  /** Noisy latents [B, inChannels, F, H, W]. */
  sample: Tensor;
  /** Time steps [B], counted from 0. */
  timesteps: Tensor;
  /** The caption's token states [B, L, crossAttentionDim]. */
  context: Tensor;
}

/** The prediction, [B, outChannels, F, H, W]. Throws ShapeError. */
export function unet3d(p: Unet3dParams, c: Unet3dConfig, { sample, timesteps, context }: Unet3dInputs): Tensor {
  const [batch, channels, frames, height, width] = sample.shape;
  if (sample.rank !== 5 || channels !== c.inChannels || context.shape[0] !== batch)
    throw new ShapeError(
      'unet3d',
      `expected latents [B, ${c.inChannels}, F, H, W] and a context [B, L, ${c.crossAttentionDim}], got ${showShape(sample.shape)} and ${showShape(context.shape)}`,
      'the frames are the third axis; give one row of token states a clip',
    );
  const rows = batch * frames;
  const groups = c.normNumGroups;
  const spatial = spatialConfig(c);
  const heads = unetHeads(spatial);
  const lowest = heads.length - 1;
  // "down_blocks.0.attentions.1", "mid_block.resnets.0": the block, the layer's number in it, and the block's resolution.
  const layerAt = (path: string): { block: Unet3dBlockParams; j: number; at: number } => {
    const [side, ...rest] = path.split('.');
    const j = Number(rest[rest.length - 1]);
    if (side === 'mid_block') return { block: p.mid_block, j, at: lowest };
    const i = Number(rest[0]);
    return side === 'down_blocks'
      ? { block: p.down_blocks[i], j, at: i }
      : { block: p.up_blocks[i], j, at: lowest - i };
  };
  const after = (h: Tensor, path: string): Tensor => {
    const among = { frames, groups, positions: c.framePositions };
    if (path === 'conv_in') return temporalTransformer(p.transformer_in, h, { ...among, heads: HEADS_IN });
    const { block, j, at } = layerAt(path);
    return path.includes('attentions')
      ? temporalTransformer(block.temp_attentions![j], h, { ...among, heads: heads[at] })
      : temporalConv(block.temp_convs[j], h, { frames, groups });
  };
  const repeated = (x: Tensor): Tensor =>
    x
      .unsqueeze(1)
      .expand([batch, frames, ...x.shape.slice(1)])
      .reshape([rows, ...x.shape.slice(1)]);
  const y = unet(p, spatial, {
    sample: sample.transpose([0, 2, 1, 3, 4]).reshape([rows, channels, height, width]),
    timesteps: repeated(timesteps),
    context: repeated(context),
    after,
  });
  return y.reshape([batch, frames, c.outChannels, height, width]).transpose([0, 2, 1, 3, 4]);
}
