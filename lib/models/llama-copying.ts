/**
 * Initial weights of LLaMA in which some heads copy: an induction circuit (Elhage et al. 2021, "A mathematical framework for
 * transformer circuits"; Olsson et al. 2022, "In-context learning and induction heads") is put in at the start instead
 * of left to form. Such heads, which look for what followed the last occurrence of the present token, form late, after
 * millions of tokens; the published backbones have them, and a small one trained for minutes would not.
 *
 *   layer 0, head 0        looks one token back, by rotary phase alone: k = R(1) q on the fast pairs of a constant feature
 *                          (embedding dimension 0), and writes a code B x of what it finds to the subspace C
 *   layers 1 and 2, 2 heads  q = a B x (the present token), k = a C x (the token before each place), on the slow pairs, which
 *                          distance hardly turns
 *   layers 1 and up, all   v = D x, o = g R D^T: what a head looks at goes to the output, so that learning where to look is enough
 *   output layer           E R^T: reads what those heads write
 *
 * B, C, D: random rows, orthonormal; R: a random rotation, so that the present token itself is not read as its successor. All
 * else is as llamaInit leaves it, and all of it is trained. In the manner of Trockman & Kolter 2023 ("Mimetic initialization").
 */
import { ArgumentError } from '../errors';
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import type { Noise } from '../nn/init';
import type { LlamaConfig, LlamaParams } from './llama';

/** Of an embedding's entries; the constant feature is this many times larger. */
const EMBEDDING_STD = 1 / 16;
const CONSTANT = 4;
/** Logits of attention at a match, about; noise is several times smaller. */
const MATCH = 9;
/** Of what heads write, in units of the embedding's entries. */
const CODE_SCALE = 1.5;
const COPY_SCALE = 3;

type Matrix = Float32Array;

/** `rows` orthonormal rows of length `width` (Gram-Schmidt on normal values). */
function orthonormal(rng: Noise, rows: number, width: number): Matrix {
  const m = Float32Array.from(rng.normals(rows * width));
  for (let i = 0; i < rows; i++) {
    const row = m.subarray(i * width, (i + 1) * width);
    // Twice, for what rounding leaves.
    for (let pass = 0; pass < 2; pass++)
      for (let j = 0; j < i; j++) {
        const other = m.subarray(j * width, (j + 1) * width);
        let dot = 0;
        for (let d = 0; d < width; d++) dot += row[d] * other[d];
        for (let d = 0; d < width; d++) row[d] -= dot * other[d];
      }
    const norm = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
    for (let d = 0; d < width; d++) row[d] /= norm;
  }
  return m;
}

const valuesOf = (t: Tensor): Float32Array => (t.storage!.hostValues as Float32Array).slice();

/** Parameters of llamaInit with copying heads. Throws ArgumentError for models that have no room for them. */
export function withCopyingHeads(rng: Noise, params: LlamaParams, c: LlamaConfig): LlamaParams {
  const { width, heads, layers, vocabSize } = c;
  const head = width / heads;
  const half = head / 2;
  if (layers < 3 || heads < 2 || c.kvHeads !== heads || head < 16 || !params.lm_head)
    throw new ArgumentError(
      'withCopyingHeads',
      `expected at least 3 layers, 2 heads of width 16 or more, as many key heads, and an output layer of its own, got ${layers} layers, ${heads} heads of ${head}, ${c.kvHeads} key heads`,
      'use llamaInit alone',
    );
  // Pairs (f, f + half) turn by base^(-f / half) radians a token.
  const fast = Math.max(2, Math.floor(half / 4));
  const slow = Array.from({ length: Math.floor(half / 2) }, (_, i) => half - 1 - i);
  const codeDims = slow.flatMap((f) => [f, f + half]);
  const B = orthonormal(rng, codeDims.length, width);
  const C = orthonormal(rng, codeDims.length, width);
  const R = orthonormal(rng, width, width);

  const embeddings = Float32Array.from(rng.normals(vocabSize * width), (x) => x * EMBEDDING_STD);
  const output = new Float32Array(vocabSize * width);
  for (let v = 0; v < vocabSize; v++) {
    const e = embeddings.subarray(v * width, (v + 1) * width);
    e[0] = 0;
    for (let r = 0; r < width; r++) {
      let sum = 0;
      for (let d = 0; d < width; d++) sum += R[r * width + d] * e[d];
      output[v * width + r] = sum;
    }
    e[0] = CONSTANT * EMBEDDING_STD;
  }

  const projection = (layer: number, name: 'q_proj' | 'k_proj' | 'v_proj' | 'o_proj'): Float32Array =>
    valuesOf(params.model.layers[layer].self_attn[name].weight);
  const changed = Array.from({ length: layers }, (_, layer) => ({
    q: projection(layer, 'q_proj'),
    k: projection(layer, 'k_proj'),
    v: projection(layer, 'v_proj'),
    o: projection(layer, 'o_proj'),
  }));
  /** Empties a head: its rows of q, k, v, and its columns of o. */
  const clear = ({ q, k, v, o }: (typeof changed)[number], h: number): void => {
    for (const m of [q, k, v]) m.fill(0, h * head * width, (h + 1) * head * width);
    for (let r = 0; r < width; r++) o.fill(0, r * width + h * head, r * width + (h + 1) * head);
  };

  const first = changed[0];
  clear(first, 0);
  // The normalised constant feature is about CONSTANT; the score at the right distance exceeds its neighbours' by MATCH.
  let gap = 0;
  for (let f = 0; f < fast; f++) gap += 1 - Math.cos(c.ropeBase ** (-f / half));
  const amplitude = Math.sqrt((MATCH * Math.sqrt(head)) / gap) / CONSTANT;
  for (let f = 0; f < fast; f++) {
    const angle = c.ropeBase ** (-f / half);
    first.q[f * width] = amplitude;
    first.k[f * width] = amplitude * Math.cos(angle);
    first.k[(f + half) * width] = amplitude * Math.sin(angle);
  }
  codeDims.forEach((dim, i) => {
    first.v.set(B.subarray(i * width, (i + 1) * width), dim * width);
    for (let r = 0; r < width; r++) first.o[r * width + dim] = C[i * width + r] * CODE_SCALE * EMBEDDING_STD;
  });

  const strength = Math.sqrt((MATCH * Math.sqrt(head)) / (codeDims.length * CODE_SCALE));
  for (let layer = 1; layer < layers; layer++) {
    const m = changed[layer];
    const basis = orthonormal(rng, width, width);
    for (let h = 0; h < heads; h++) {
      const induces = layer <= 2 && h < 2;
      if (induces) {
        clear(m, h);
        codeDims.forEach((dim, i) => {
          for (let d = 0; d < width; d++) {
            m.q[(h * head + dim) * width + d] = strength * B[i * width + d];
            m.k[(h * head + dim) * width + d] = strength * C[i * width + d];
          }
        });
      }
      const scale = (induces ? COPY_SCALE : COPY_SCALE / 2) * EMBEDDING_STD;
      for (let i = 0; i < head; i++) {
        const D = basis.subarray((h * head + i) * width, (h * head + i + 1) * width);
        m.v.set(D, (h * head + i) * width);
        for (let r = 0; r < width; r++) {
          let sum = 0;
          for (let d = 0; d < width; d++) sum += R[r * width + d] * D[d];
          m.o[r * width + h * head + i] = sum * scale;
        }
      }
    }
  }

  const square = [width, width];
  return {
    ...params,
    model: {
      ...params.model,
      embed_tokens: { weight: tensor(embeddings, { shape: [vocabSize, width] }) },
      layers: params.model.layers.map((block, layer) => {
        const m = changed[layer];
        const weight = (values: Float32Array): { weight: Tensor } => ({ weight: tensor(values, { shape: square }) });
        return {
          ...block,
          self_attn: { q_proj: weight(m.q), k_proj: weight(m.k), v_proj: weight(m.v), o_proj: weight(m.o) },
        };
      }),
    },
    lm_head: { weight: tensor(output, { shape: [vocabSize, width] }) },
  };
}
