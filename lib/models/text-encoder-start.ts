/**
 * A text encoder that begins where a short training of a small one gets slowly. In "small red circle top left" the words that
 * belong together stand next to each other, so head h of the first layer begins by looking h + 1 tokens back, and each state
 * begins with the words before it. Such heads form on their own in long trainings (Clark et al. 2019, section 3.1).
 *
 * Positions are waves of the angular frequencies w_f = pi (f + 1/2) / F in 2 F of the channels; a rotation of them by -(h + 1) w_f
 * makes the queries, and the sum over f of cos(w_f d) is F where d = 0 and zero at all other distances below 2 F, so that a
 * head sees one token and no other. The states' last normalisation begins at `gain`: a denoiser's attention spreads evenly
 * over all tokens at first, and what one of many words says would be lost in the mean.
 */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { filled, normal } from '../nn/init';
import type { Noise } from '../nn/init';
import type { LinearParams } from '../nn/linear';
import { clipTextInit } from './text-encoder';
import type { ClipTextConfig, ClipTextParams } from './text-encoder';

/** Deviation of the words' embeddings in their channels; that of positions is the same. */
const DEVIATION = 0.3;
/** Of the first layer's other query and key weights. */
const QUIET = 0.02;
/** Logit of the token that a head looks at; the others have 0. */
const LOGIT = 6.4;

/** Waves need an even number of channels a head. Throws ArgumentError. */
export function lookingBackInit(rng: Noise, c: ClipTextConfig, { gain = 1 }: { gain?: number } = {}): ClipTextParams {
  const width = c.hiddenSize;
  const wide = width / c.numAttentionHeads;
  const waves = wide / 2;
  if (!Number.isInteger(waves) || wide * 2 > width)
    throw new ArgumentError(
      'lookingBackInit',
      `expected an even number of channels a head, and two heads or more, got ${c.numAttentionHeads} heads of ${wide}`,
      'choose another number of heads, or clipTextInit',
    );
  const params = clipTextInit(rng, c);
  const { text_model } = params;
  const frequency = (f: number): number => (Math.PI * (f + 0.5)) / waves;
  const amplitude = DEVIATION * Math.sqrt((width - wide) / waves);
  const words = normal(rng, [c.vocabSize, width], DEVIATION);
  const [first, ...others] = text_model.encoder.layers;
  // After the normalisation a wave's amplitude is sqrt(width (width - wide) d² / (2 (width - wide) d² waves)).
  const gainOfWave = Math.sqrt((LOGIT * Math.sqrt(wide) * 2) / width);
  return {
    text_model: {
      ...text_model,
      embeddings: {
        token_embedding: { weight: edited(words, (_, column) => (column < wide ? 0 : undefined)) },
        position_embedding: {
          weight: edited(filled([c.maxPositionEmbeddings, width], 0), (at, column) => {
            if (column >= wide) return undefined;
            const angle = at * frequency(Math.floor(column / 2));
            return amplitude * (column % 2 ? Math.cos(angle) : Math.sin(angle));
          }),
        },
      },
      encoder: {
        layers: [
          {
            ...first,
            self_attn: {
              ...first.self_attn,
              q_proj: reading(rng, c, (head, f) => (head + 1) * frequency(f), gainOfWave),
              k_proj: reading(rng, c, () => 0, gainOfWave),
            },
          },
          ...others,
        ],
      },
      final_layer_norm: { ...text_model.final_layer_norm, weight: filled([width], gain) },
    },
  };
}

/** Weights that read the waves, each turned back by an angle, into every head's channels; little else. */
function reading(
  rng: Noise,
  c: ClipTextConfig,
  angle: (head: number, wave: number) => number,
  gain: number,
): LinearParams {
  const width = c.hiddenSize;
  const wide = width / c.numAttentionHeads;
  const weight = edited(normal(rng, [width, width], QUIET), (row, column, value) => {
    const [head, at] = [Math.floor(row / wide), row % wide];
    const wave = Math.floor(at / 2);
    if (Math.floor(column / 2) !== wave) return undefined;
    const a = angle(head, wave);
    // sin(x - a) = sin x cos a - cos x sin a; cos(x - a) = sin x sin a + cos x cos a.
    const turned = at % 2 ? (column % 2 ? Math.cos(a) : Math.sin(a)) : column % 2 ? -Math.sin(a) : Math.cos(a);
    return value + gain * turned;
  });
  return { weight, bias: filled([width], 0) };
}

/** A matrix of host values with some entries replaced. */
function edited(t: Tensor, f: (row: number, column: number, value: number) => number | undefined): Tensor {
  const [, columns] = t.shape;
  const values = t.storage!.hostValues as Float32Array;
  return tensor(
    values.map((v, i) => f(Math.floor(i / columns), i % columns, v) ?? v),
    { shape: t.shape },
  );
}
