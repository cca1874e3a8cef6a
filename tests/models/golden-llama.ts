/** The tiny LLaMA of tests/goldens/nn.py: its configuration, weights and loss. */
import { ones, treeMap } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { crossEntropy } from '../../lib/losses';
import { llama, llamaInit } from '../../lib/models';
import type { LlamaConfig, LlamaParams } from '../../lib/models';
import { Random } from '../../lib/nn';
import { param } from '../nn/golden';

export const tinyConfig: LlamaConfig = {
  vocabSize: 19,
  width: 16,
  layers: 2,
  heads: 4,
  kvHeads: 4,
  hidden: 24,
  maxLength: 32,
  ropeBase: 10000,
  normEpsilon: 1e-5,
  tieEmbeddings: false,
};

/** Weights by their names, which are those of transformers. */
export const goldenLlama = (config: LlamaConfig): LlamaParams =>
  treeMap(llamaInit(new Random(1), config), (t, path) =>
    path.includes('norm') ? param(`llama.${path}`, t.shape, 0.125, 1) : param(`llama.${path}`, t.shape, 0.25),
  );

/** Mean loss of predicting each token but the first. */
export function nextTokenLoss(p: LlamaParams, config: LlamaConfig, ids: Tensor): Tensor {
  const [batch, time] = ids.shape;
  const logits = llama(p, config, { ids }).slice(null, [0, time - 1]);
  return crossEntropy(logits, ids.slice(null, [1, time]), ones([batch, time - 1])).loss;
}
