/** Feed-forward blocks of transformers. */
import type { Tensor } from '../graph/tensor';
import { linear, linearInit } from './linear';
import type { LinearParams } from './linear';
import type { Noise } from './init';

/** down(silu(gate x) * up x) (Shazeer 2020), with LLaMA's names. */
export type SwigluParams = { gate_proj: LinearParams; up_proj: LinearParams; down_proj: LinearParams };

/** Normal with standard deviation `std`, `outStd` for the layer that writes to the residual stream; no biases. */
export function swigluInit(rng: Noise, width: number, hidden: number, std: number, outStd = std): SwigluParams {
  return {
    gate_proj: linearInit(rng, width, hidden, { bias: false, std }),
    up_proj: linearInit(rng, width, hidden, { bias: false, std }),
    down_proj: linearInit(rng, hidden, width, { bias: false, std: outStd }),
  };
}

/** x and the result: [..., width]. */
export const swiglu = (p: SwigluParams, x: Tensor): Tensor =>
  linear(p.down_proj, linear(p.gate_proj, x).silu().mul(linear(p.up_proj, x)));

/** proj(gelu(fc x)), with biases, as in GPT-2 and ViT. */
export type GeluMlpParams = { fc: LinearParams; proj: LinearParams };

/** Initial values of `linearInit`. */
export function geluMlpInit(rng: Noise, width: number, hidden: number): GeluMlpParams {
  return { fc: linearInit(rng, width, hidden), proj: linearInit(rng, hidden, width) };
}

/** x and the result: [..., width]. */
export const geluMlp = (p: GeluMlpParams, x: Tensor): Tensor => linear(p.proj, linear(p.fc, x).gelu());
