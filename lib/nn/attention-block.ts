/** Multi-head attention with its projections (Vaswani et al. 2017, section 3.2.2): self-attention, or to a context. */
import { ArgumentError } from '../errors';
import type { Tensor } from '../graph/tensor';
import { attention, mergeHeads, splitHeads } from './attention';
import type { AttentionOptions } from './attention';
import { linear, linearInit } from './linear';
import type { LinearParams } from './linear';
import type { Noise } from './init';

export type AttentionBlockParams = { q: LinearParams; k: LinearParams; v: LinearParams; o: LinearParams };

export interface AttentionBlockConfig {
  width: number;
  heads: number;
  /** Key and value heads; default: as many as `heads`. */
  kvHeads?: number;
  /** Width of the context; default: `width`. */
  contextWidth?: number;
  /** Biases of q, k and v; the output has one always. */
  bias?: boolean;
}

export function attentionBlockInit(rng: Noise, c: AttentionBlockConfig): AttentionBlockParams {
  const { width, heads, kvHeads = heads, contextWidth = width, bias = false } = c;
  if (width % heads || heads % kvHeads)
    throw new ArgumentError(
      'attentionBlockInit',
      `expected heads that divide the width and key heads that divide the heads, got width ${width}, heads ${heads}, kvHeads ${kvHeads}`,
      'choose divisors',
    );
  const narrow = (width / heads) * kvHeads;
  return {
    q: linearInit(rng, width, width, { bias }),
    k: linearInit(rng, contextWidth, narrow, { bias }),
    v: linearInit(rng, contextWidth, narrow, { bias }),
    o: linearInit(rng, width, width),
  };
}

/**
 * x [B, T, width], which looks at itself or at `context` [B, Tc, contextWidth] -> [B, T, width]. For padding in the
 * context give `mask: paddingMask(lengths, Tc)`.
 */
export function attentionBlock(
  p: AttentionBlockParams,
  x: Tensor,
  options: AttentionOptions & { heads: number; kvHeads?: number; context?: Tensor },
): Tensor {
  const { heads, kvHeads = heads, context = x, ...rest } = options;
  const q = splitHeads(linear(p.q, x), heads);
  const k = splitHeads(linear(p.k, context), kvHeads);
  const v = splitHeads(linear(p.v, context), kvHeads);
  return linear(p.o, mergeHeads(attention(q, k, v, rest)));
}
