/**
 * Gradient accumulation: the gradient of a large batch from small ones. A loss is a mean over the tokens (or examples)
 * that count, so each part weighs as much as it has of them; a plain mean over the parts would favour the short ones.
 */
import { ArgumentError, ShapeError } from '../errors';
import { valueAndGrad } from '../graph/grad';
import { range, showShape } from '../graph/shape';
import { apply, constant, Tensor } from '../graph/tensor';
import { tensorsOf, treeMap, treeZip } from '../graph/tree';
import { filled } from './init';

/**
 * A mean loss, and over how many tokens or examples it was taken (float32; default: the parts weigh alike). Other
 * tensors beside them are metrics: scalars, averaged as the loss is.
 */
export interface CountedLoss {
  loss: Tensor;
  count?: Tensor;
}
type Counted<R> = R extends Tensor ? { loss: Tensor; count: Tensor } : R & { count: Tensor };

export interface Accumulated<P> {
  /** Sums of count * gradient. */
  grads: P;
  /** Sum of count * loss. */
  loss: Tensor;
  count: Tensor;
}

const one = (): Tensor => constant({ dtype: 'float32', shape: [], data: Float32Array.of(1) });

/**
 * As `valueAndGrad`, with the batch cut into `parts` along its first axis, one after the other in one program: the
 * results of a part's forward pass are dropped before the next begins. Equal to the gradient of the whole batch if
 * `fn` returns the count over which its loss is a mean. Scalars in the batch go to every part. Throws ShapeError if
 * the axis cannot be cut evenly.
 */
export function accumulate<P, B, R extends Tensor | CountedLoss>(
  fn: (params: P, batch: B) => R,
  parts: number,
): (params: P, batch: B) => { value: Counted<R>; grads: P } {
  if (!Number.isInteger(parts) || parts < 1)
    throw new ArgumentError('accumulate', `expected at least 1 part, got ${parts}`, 'give the number of micro-batches');
  const both = valueAndGrad((params: P, batch: B) => counted(fn(params, batch)));
  return (params, batch) => {
    let sum: Accumulated<P> | null = null;
    // Metrics are summed as the gradients are.
    let metrics: unknown = null;
    for (const i of range(parts)) {
      let part = treeMap(batch, (t, path) => cut(t, path, i, parts));
      if (sum) {
        // The next part waits until every gradient so far is there; else the engine may keep all parts' results at
        // once.
        const done = tensorsOf(sum.grads).reduce((token, { tensor }) => apply('barrier', {}, token, tensor), sum.count);
        part = treeMap(part, (t) => apply('barrier', {}, t, done));
      }
      const { value, grads } = both(params, part);
      const { loss, count, ...rest } = value;
      sum = sum ? accumulatorAdd(sum, { loss, count, grads }) : weighted({ loss, count, grads });
      const terms = treeMap(rest, (t, path) => scalarMetric(t, path).mul(count));
      metrics = metrics ? treeZip('accumulate', metrics, [terms], (a, b) => a.add(b)) : terms;
    }
    const { loss, grads } = accumulatorMean(sum!);
    const share = inverse(sum!.count);
    const means = treeMap(metrics, (t) => t.mul(share)) as object;
    return { value: { ...means, loss, count: sum!.count } as Counted<R>, grads };
  };
}

/** Zeros, for accumulation over several calls; donate it to each. */
export function accumulatorInit<P>(params: P): Accumulated<P> {
  return { grads: treeMap(params, (t) => filled(t.shape, 0)), loss: filled([], 0), count: filled([], 0) };
}

/** Adds the loss and gradients of one part. */
export function accumulatorAdd<P>(sum: Accumulated<P>, part: CountedLoss & { grads: P }): Accumulated<P> {
  const { grads, loss, count } = weighted(part);
  return {
    grads: treeZip('accumulatorAdd', sum.grads, [grads], (a, b) => a.add(b)),
    loss: sum.loss.add(loss),
    count: sum.count.add(count),
  };
}

/** The loss and gradients of everything added so far; zeros if nothing counted. */
export function accumulatorMean<P>(sum: Accumulated<P>): { loss: Tensor; grads: P } {
  const share = inverse(sum.count);
  return { loss: sum.loss.mul(share), grads: treeMap(sum.grads, (g) => g.mul(share.cast(g.dtype))) };
}

/** 1 / count; 1 for a count of 0, whose sums are 0. */
const inverse = (count: Tensor): Tensor => count.equal(0).cast(count.dtype).add(count).reciprocal();

const counted = (value: Tensor | CountedLoss): { loss: Tensor; count: Tensor } =>
  value instanceof Tensor ? { loss: value, count: one() } : { ...value, count: value.count ?? one() };

function scalarMetric(t: Tensor, path: string): Tensor {
  if (t.rank !== 0)
    throw new ShapeError(
      'accumulate',
      `expected scalar metrics beside the loss, got ${showShape(t.shape)} at "${path}"`,
      'reduce it with .mean() or .sum()',
    );
  return t.cast('float32');
}

function weighted<P>(part: CountedLoss & { grads: P }): Accumulated<P> {
  const { loss, count } = counted(part);
  return { loss: loss.mul(count), count, grads: treeMap(part.grads, (g) => g.mul(count.cast(g.dtype))) };
}

function cut(t: Tensor, path: string, index: number, parts: number): Tensor {
  if (t.rank === 0) return t;
  if (t.shape[0] % parts)
    throw new ShapeError(
      'accumulate',
      `expected a first axis divisible by ${parts}, got ${showShape(t.shape)} at "${path}"`,
      'choose a number of parts that divides the batch',
    );
  const size = t.shape[0] / parts;
  return t.slice([index * size, (index + 1) * size]);
}
