/** Pooling and nearest-neighbour resizing of [N, C, ...spatial], composed from slices, reductions and gathers. */
import { ArgumentError, ShapeError } from '../errors';
import { range, showShape } from '../graph/shape';
import { stack, tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import { perAxis } from './conv';
import type { PerAxis } from './conv';

export interface PoolOptions {
  /** Default: the kernel, so that windows do not overlap. */
  stride?: PerAxis;
  /** At both ends of each axis, at most half the kernel. */
  padding?: PerAxis;
}

interface Windows {
  kernel: number[];
  stride: number[];
  padding: number[];
  out: number[];
}

function windowsOf(where: string, x: Tensor, kernel: PerAxis, o: PoolOptions): Windows {
  const axes = x.rank - 2;
  if (axes < 1)
    throw new ShapeError(where, `expected [N, C, ...spatial], got ${showShape(x.shape)}`, 'add the missing axes');
  const k = perAxis(where, 'a kernel', kernel, axes, 1);
  const stride = perAxis(where, 'strides', o.stride ?? k, axes, 1);
  const padding = perAxis(where, 'paddings', o.padding ?? 0, axes, 0);
  if (padding.some((p, i) => 2 * p > k[i]))
    throw new ArgumentError(
      where,
      `expected paddings of at most half the kernel [${k.join(', ')}], got [${padding.join(', ')}]`,
      'a window must not lie in the padding alone',
    );
  const out = x.shape.slice(2).map((d, i) => Math.floor((d + 2 * padding[i] - k[i]) / stride[i]) + 1);
  if (out.some((n) => n < 1))
    throw new ShapeError(
      where,
      `expected an input of at least the kernel [${k.join(', ')}], got ${showShape(x.shape)}`,
      'use a smaller kernel, or pad',
    );
  return { kernel: k, stride, padding, out };
}

/** Whether the windows tile the input: then a reshape finds them. */
const tiles = (x: Tensor, { kernel, stride, padding }: Windows): boolean =>
  kernel.every((k, i) => stride[i] === k && padding[i] === 0 && x.shape[i + 2] % k === 0);

/** [N, C, out1, k1, out2, k2, ...] and the axes of the kernel. */
function tiled(x: Tensor, { kernel, out }: Windows): { tiles: Tensor; axes: number[] } {
  const shape = [...x.shape.slice(0, 2), ...out.flatMap((n, i) => [n, kernel[i]])];
  return { tiles: x.reshape(shape), axes: kernel.map((_, i) => 3 + 2 * i) };
}

/** For each position in the kernel, the entries that the windows have there: [N, C, ...out] each. */
function entries(x: Tensor, { kernel, stride, padding, out }: Windows, fill: number): Tensor[] {
  const padded = x.pad([0, 0, ...padding], [0, 0, ...padding], fill);
  const positions = kernel.reduce<number[][]>((list, k) => list.flatMap((at) => range(k).map((i) => [...at, i])), [[]]);
  return positions.map((at) =>
    padded.slice(null, null, ...at.map((k, i) => [k, k + (out[i] - 1) * stride[i] + 1, stride[i]] as const)),
  );
}

/** The largest entry of each window. Where several are equal they share the gradient. */
export function maxPool(x: Tensor, kernel: PerAxis, options: PoolOptions = {}): Tensor {
  const w = windowsOf('maxPool', x, kernel, options);
  if (tiles(x, w)) {
    const t = tiled(x, w);
    return t.tiles.max(t.axes);
  }
  return stack(entries(x, w, x.dtype === 'float16' ? -65504 : -3.4e38), x.rank).max(-1);
}

/**
 * The mean of each window. Padding counts as zeros, as in PyTorch; with `countPadding` false each window is divided by
 * the number of its entries inside the input.
 */
export function avgPool(x: Tensor, kernel: PerAxis, options: PoolOptions & { countPadding?: boolean } = {}): Tensor {
  const w = windowsOf('avgPool', x, kernel, options);
  if (tiles(x, w)) {
    const t = tiled(x, w);
    return t.tiles.mean(t.axes);
  }
  const sum = entries(x, w, 0).reduce((a, b) => a.add(b));
  if (options.countPadding ?? true) return sum.div(w.kernel.reduce((a, b) => a * b, 1));
  return w.kernel.reduce((y, k, i) => {
    const counts = range(w.out[i]).map((at) => {
      const start = at * w.stride[i] - w.padding[i];
      return Math.min(start + k, x.shape[i + 2]) - Math.max(start, 0);
    });
    const shape = range(x.rank).map((a) => (a === i + 2 ? w.out[i] : 1));
    return y.div(tensor(Float32Array.from(counts), { shape }).cast(x.dtype));
  }, sum);
}

/** The mean over all spatial axes: [N, C, ...] -> [N, C]. */
export const globalAvgPool = (x: Tensor): Tensor => x.mean(range(x.rank).slice(2));

/**
 * Nearest-neighbour resizing to `size`, one entry a spatial axis: out[i] = in[floor(i in / out)], as PyTorch's
 * 'nearest'.
 */
export function resizeNearest(x: Tensor, size: PerAxis): Tensor {
  const axes = x.rank - 2;
  if (axes < 1)
    throw new ShapeError(
      'resizeNearest',
      `expected [N, C, ...spatial], got ${showShape(x.shape)}`,
      'add the missing axes',
    );
  return perAxis('resizeNearest', 'sizes', size, axes, 1).reduce((y, n, i) => {
    const axis = i + 2;
    const d = y.shape[axis];
    if (n === d) return y;
    if (n % d === 0) {
      // Each entry several times: a new axis, repeated.
      const shape = [...y.shape.slice(0, axis + 1), n / d, ...y.shape.slice(axis + 1)];
      return y
        .unsqueeze(axis + 1)
        .expand(shape)
        .reshape(y.shape.map((s, a) => (a === axis ? n : s)));
    }
    return y.gather(tensor(Int32Array.from({ length: n }, (_, at) => Math.floor((at * d) / n))), axis);
  }, x);
}

/** Each spatial axis `factor` times as long. */
export const upsampleNearest = (x: Tensor, factor: PerAxis): Tensor => {
  const factors = perAxis('upsampleNearest', 'factors', factor, Math.max(x.rank - 2, 1), 1);
  return resizeNearest(
    x,
    x.shape.slice(2).map((d, i) => d * factors[i]),
  );
};
