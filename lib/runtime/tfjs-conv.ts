/**
 * Convolutions of the tfjs engine. TensorFlow.js convolves channels-last, without groups, and not with a stride and a
 * dilation at once, so padding and dilation are made explicit and groups are computed one by one.
 */
import type { ConvParams, OpParams } from '../graph/ops';
import { range } from '../graph/shape';
import { cut, padded, permute, spread } from './tfjs-layout';
import type { Tf, TfTensor as T } from './tfjs-library';

/** Convolution of [N, C, ...] with [M, C / group, ...]; pads below zero cut. */
export function convolve(tf: Tf, x: T, w: T, p: ConvParams): T {
  const n = p.strides.length;
  const axes = range(n).map((i) => i + 2);
  const widths = (at: number): number[] => [0, 0, ...p.pads.slice(at, at + n)];
  const grown = padded(
    tf,
    x,
    widths(0).map((v) => Math.max(v, 0)),
    widths(n).map((v) => Math.max(v, 0)),
    0,
  );
  const begin = widths(0).map((v) => Math.max(-v, 0));
  const end = widths(n).map((v) => Math.max(-v, 0));
  const input = tf.slice(
    grown,
    begin,
    grown.shape.map((d, i) => d - begin[i] - end[i]),
  );
  const kernel = spread(tf, w, [1, 1, ...p.dilations]);
  const [c, m] = [w.shape[1], w.shape[0] / p.group];
  const parts = range(p.group).map((g) => {
    const part = permute(tf, cut(tf, input, 1, g * c, c), [0, ...axes, 1]);
    const weights = permute(tf, cut(tf, kernel, 0, g * m, m), [...axes, 1, 0]);
    return channelsLast(tf, part, weights, p.strides);
  });
  return permute(tf, tf.concat(parts, n + 1), [0, n + 1, ...range(n).map((i) => i + 1)]);
}

/** One spatial axis is computed as two. */
function channelsLast(tf: Tf, x: T, w: T, strides: readonly number[]): T {
  if (strides.length === 3) return tf.conv3d(x, w, strides as [number, number, number], 'valid');
  if (strides.length === 2) return tf.conv2d(x, w, strides as [number, number], 'valid');
  const out = tf.conv2d(
    tf.reshape(x, [x.shape[0], 1, ...x.shape.slice(1)]),
    tf.reshape(w, [1, ...w.shape]),
    [1, strides[0]],
    'valid',
  );
  return tf.reshape(out, [out.shape[0], ...out.shape.slice(2)]);
}

/**
 * Transposed convolution with weights [C, M / group, ...]: zeros between the entries undo the stride, then it is a
 * convolution with the mirrored kernel.
 */
export function convolveTransposed(tf: Tf, x: T, w: T, p: OpParams['convTranspose']): T {
  const kernel = w.shape.slice(2);
  const n = kernel.length;
  const axes = kernel.map((_, i) => i + 2);
  const { group, dilations } = p;
  const [c, m] = [w.shape[0] / group, w.shape[1]];
  const grouped = permute(tf, tf.reshape(w, [group, c, m, ...kernel]), [0, 2, 1, ...axes.map((i) => i + 1)]);
  const mirrored = tf.reverse(tf.reshape(grouped, [group * m, c, ...kernel]), axes);
  const reach = kernel.map((k, i) => dilations[i] * (k - 1));
  const begin = reach.map((r, i) => r - p.pads[i]);
  const end = reach.map((r, i) => r - p.pads[i + n] + p.outputPadding[i]);
  const strides = kernel.map(() => 1);
  return convolve(tf, spread(tf, x, [1, 1, ...p.strides]), mirrored, {
    strides,
    pads: [...begin, ...end],
    dilations,
    group,
  });
}
