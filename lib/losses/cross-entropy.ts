/** Log-probabilities of tokens, and the cross-entropy made of them. */
import { ShapeError } from '../errors';
import { customGradient } from '../graph/grad';
import { sameShape, showShape } from '../graph/shape';
import { where } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';

/**
 * log softmax(logits)[label]: logits [..., V], labels [...] int32 in [0, V) -> [...]. The gradient, g (onehot -
 * softmax), is written in two passes over the logits. Throws ShapeError.
 */
export function tokenLogProbs(logits: Tensor, labels: Tensor): Tensor {
  // A gather would take fewer labels than positions without a word.
  if (!sameShape(labels.shape, logits.shape.slice(0, -1)))
    throw new ShapeError(
      'tokenLogProbs',
      `expected a label for each position of the logits, got ${showShape(labels.shape)} for ${showShape(logits.shape)}`,
      'logits [..., V] go with labels [...]',
    );
  const index = labels.unsqueeze(-1);
  const logProbs = logits.logSoftmax(-1);
  const axis = logits.rank - 1;
  return customGradient(
    () => logProbs.gatherElements(index, axis).squeeze(-1),
    (dy) => {
      const g = dy.unsqueeze(-1);
      return [logProbs.exp().mul(g.neg()).scatterElements(index, g, axis, 'add')];
    },
  )(logits);
}

export interface CrossEntropy {
  /** Mean of -log p over the tokens that count. */
  loss: Tensor;
  /** The number of tokens that count, float32. */
  count: Tensor;
}

/**
 * Mean negative log-likelihood over the positions where `mask` (float32 or bool [...]) is 1; elsewhere the label may be
 * anything, -100 as well. A batch without a single one gives 0. Throws ShapeError.
 */
export function crossEntropy(logits: Tensor, labels: Tensor, mask: Tensor): CrossEntropy {
  if (!sameShape(mask.shape, labels.shape))
    throw new ShapeError(
      'crossEntropy',
      `expected labels and a mask of one shape, got ${showShape(labels.shape)} and ${showShape(mask.shape)}`,
      'the mask says of each label whether it counts',
    );
  const weights = mask.cast(logits.dtype);
  const count = weights.sum();
  const known = where(mask.cast('bool'), labels, 0);
  return { loss: tokenLogProbs(logits, known).mul(weights).sum().neg().div(count.maximum(1)), count };
}
