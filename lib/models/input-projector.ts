/**
 * The input projector: from the joint encoder's states of a medium to vectors that stand in the language model's input
 * (the card: "Transformer input projector", 50 M; form after NExT-GPT 1.5's grouping projector).
 *
 *   x = [queries; in_proj_m(states) + positions_m]   [B, slots + L, width], m the modality of the row
 *   y = transformer encoder(x)         the states beyond a medium's length are not looked at
 *   vectors = out_proj(norm(y[: slots]))
 *
 * Chosen here, since the card does not say: learned queries that join the states in one encoder, instead of the grouping
 * blocks of NExT-GPT 1.5; all states of the trunk's last layer, not the pooled embedding alone, as the joint embedding is
 * trained to tell media apart, not to list what is in them; learned positions (optional), for the trunks' last states say more of what
 * is in a place than of where it is.
 */
import { z } from 'zod';
import { ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import { concat, ones } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { filled, normal } from '../nn/init';
import type { Noise } from '../nn/init';
import { linear, linearInit } from '../nn/linear';
import type { LinearParams } from '../nn/linear';
import { layerNorm, layerNormInit } from '../nn/norm';
import type { NormParams } from '../nn/norm';
import { paddingMask } from '../nn/mask';
import { encoderLayer, encoderLayerInit } from '../nn/transformer-layer';
import type { EncoderLayerParams } from '../nn/transformer-layer';

const count = z.number().int().positive();

export const inputProjectorSchema = z.strictObject({
  /** Width of the widest trunk; narrower states are padded with zeros. */
  inWidth: count,
  /** Modalities, each with a projection of its own. */
  modalities: count,
  width: count,
  heads: count,
  /** Width of the feed-forward parts. */
  hidden: count,
  layers: count,
  /** Vectors of a medium. */
  slots: count,
  /** Width of the language model. */
  outWidth: count,
  /** States that get a learned position: as many as the longest medium has. Absent: none get one. */
  positions: count.optional(),
});
export type InputProjectorConfig = z.infer<typeof inputProjectorSchema>;

export type InputProjectorParams = {
  /** weight [modalities, inWidth, width], bias [modalities, width] */
  in_proj: { weight: Tensor; bias: Tensor };
  /** [1, slots, width] */
  queries: Tensor;
  /** [modalities, positions, width] */
  positions?: Tensor;
  layers: EncoderLayerParams[];
  norm: NormParams;
  out_proj: LinearParams;
};

/** The card's 50 M between ImageBind-Huge (image trunk 1280) and Vicuna-7B. */
export const inputProjectorSizes = {
  published: { inWidth: 1280, modalities: 3, width: 768, heads: 12, hidden: 3072, layers: 6, slots: 8, outWidth: 4096 },
} satisfies Record<string, InputProjectorConfig>;

export function inputProjectorInit(rng: Noise, c: InputProjectorConfig): InputProjectorParams {
  return {
    in_proj: {
      weight: normal(rng, [c.modalities, c.inWidth, c.width], 1 / Math.sqrt(c.inWidth)),
      bias: filled([c.modalities, c.width], 0),
    },
    queries: normal(rng, [1, c.slots, c.width], 1),
    ...(c.positions ? { positions: normal(rng, [c.modalities, c.positions, c.width], 1) } : {}),
    layers: Array.from({ length: c.layers }, () => encoderLayerInit(rng, c)),
    norm: layerNormInit(c.width),
    // Vectors of about the size of token embeddings.
    out_proj: linearInit(rng, c.width, c.outWidth, { std: 0.1 / Math.sqrt(c.width) }),
  };
}

/** The joint encoder's states of media, padded: what the input projector takes. */
export type MediaStates = {
  /** float32 [B, L, inWidth] */
  states: Tensor;
  /** int32 [B]: how many states each medium has. */
  lengths: Tensor;
  /** int32 [B]: index of its modality in MODALITIES. */
  modality: Tensor;
};

/** Vectors [B, slots, outWidth]. Throws ShapeError. */
export function inputProjector(p: InputProjectorParams, c: InputProjectorConfig, media: MediaStates): Tensor {
  const { states, lengths, modality } = media;
  const [batch, length, width] = states.shape;
  if (states.rank !== 3 || width !== c.inWidth)
    throw new ShapeError(
      'inputProjector',
      `expected states [B, L, ${c.inWidth}], got ${showShape(states.shape)}`,
      'pad the states of narrower trunks with zeros',
    );
  const { positions = 0 } = c;
  if (p.positions && length > positions)
    throw new ShapeError(
      'inputProjector',
      `expected at most ${positions} states, got ${length}`,
      'the configuration has as many positions as the longest medium has states',
    );
  let projected = states
    .matMul(p.in_proj.weight.gather(modality, 0))
    .add(p.in_proj.bias.gather(modality, 0).unsqueeze(1));
  if (p.positions) projected = projected.add(p.positions.gather(modality, 0).slice(null, [0, length]));
  let x = concat([p.queries.expand([batch, c.slots, c.width]), projected], 1);
  const mask = concat([ones([batch, 1, 1, c.slots], 'bool'), paddingMask(lengths, length)], 3);
  for (const layer of p.layers) x = encoderLayer(layer, c, x, mask);
  return linear(p.out_proj, layerNorm(p.norm, x.slice(null, [0, c.slots])));
}
