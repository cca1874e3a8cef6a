/** Layout operations of the tfjs engine: axes permuted, repeated, padded, spread out and cut. */
import { range, sameShape, sizeOf } from '../graph/shape';
import type { Tf, TfTensor as T } from './tfjs-library';

export const inverse = (perm: readonly number[]): number[] => perm.map((_, i) => perm.indexOf(i));
export const lastAxis = (rank: number, axis: number): number[] => [...range(rank).filter((a) => a !== axis), axis];

/** [before, axis, after]. */
export function around(tf: Tf, x: T, axis: number): T {
  return tf.reshape(x, [sizeOf(x.shape.slice(0, axis)), x.shape[axis], sizeOf(x.shape.slice(axis + 1))]);
}

/** A transposition in which axes that stay neighbours count as one, for libraries that bound the rank. */
export function permute(tf: Tf, x: T, perm: readonly number[]): T {
  const groups: number[][] = [];
  for (const a of perm) {
    const last = groups.at(-1);
    if (last && last.at(-1)! + 1 === a) last.push(a);
    else groups.push([a]);
  }
  const order = [...groups].sort((a, b) => a[0] - b[0]);
  const merged = tf.reshape(
    x,
    order.map((g) => sizeOf(g.map((a) => x.shape[a]))),
  );
  return tf.reshape(
    tf.transpose(
      merged,
      groups.map((g) => order.indexOf(g)),
    ),
    perm.map((a) => x.shape[a]),
  );
}

/** Broadcasts to a shape; neighbouring axes that are both repeated, or both kept, count as one. */
export function expandTo(tf: Tf, x: T, shape: readonly number[]): T {
  if (sameShape(x.shape, shape)) return x;
  const own = [...new Array<number>(shape.length - x.shape.length).fill(1), ...x.shape];
  const sizes: number[] = [];
  const repeats: number[] = [];
  let repeated: boolean | null = null;
  shape.forEach((d, i) => {
    if (d === 1) return;
    const now = own[i] === 1;
    if (now !== repeated) {
      sizes.push(1);
      repeats.push(1);
    }
    repeated = now;
    (now ? repeats : sizes)[sizes.length - 1] *= d;
  });
  return tf.reshape(sizes.length ? tf.tile(tf.reshape(x, sizes), repeats) : x, [...shape]);
}

export function padded(tf: Tf, x: T, before: readonly number[], after: readonly number[], value: number): T {
  if (![...before, ...after].some((n) => n > 0)) return x;
  return tf.pad(
    x,
    before.map((b, i) => [b, after[i]] as [number, number]),
    value,
  );
}

/** Puts steps[i] - 1 zeros between the entries of axis i. */
export function spread(tf: Tf, x: T, steps: readonly number[]): T {
  return steps.reduce((t, step, axis) => {
    if (step === 1) return t;
    const flat = tf.reshape(around(tf, t, axis), [-1, t.shape[axis], 1, sizeOf(t.shape.slice(axis + 1))]);
    const [before, n, , after] = flat.shape;
    const wide = tf.reshape(padded(tf, flat, [0, 0, 0, 0], [0, 0, step - 1, 0], 0), [before, n * step, after]);
    const size = (n - 1) * step + 1;
    return tf.reshape(
      tf.slice(wide, [0, 0, 0], [before, size, after]),
      t.shape.map((d, i) => (i === axis ? size : d)),
    );
  }, x);
}

/** Takes every steps[i]-th entry of axis i; the last one taken ends the axis. The opposite of `spread`. */
export function every(tf: Tf, x: T, steps: readonly number[]): T {
  return steps.reduce((t, step, axis) => {
    if (step === 1) return t;
    const flat = around(tf, t, axis);
    const [before, size, after] = flat.shape;
    const n = (size - 1) / step + 1;
    const whole = tf.reshape(padded(tf, flat, [0, 0, 0], [0, step - 1, 0], 0), [before, n, step, after]);
    return tf.reshape(
      tf.slice(whole, [0, 0, 0, 0], [before, n, 1, after]),
      t.shape.map((d, i) => (i === axis ? n : d)),
    );
  }, x);
}

/** A range of one axis. */
export function cut(tf: Tf, x: T, axis: number, start: number, size: number): T {
  return tf.slice(
    x,
    x.shape.map((_, i) => (i === axis ? start : 0)),
    x.shape.map((d, i) => (i === axis ? size : d)),
  );
}
