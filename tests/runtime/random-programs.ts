/**
 * Random programs for comparing two engines: a few operations of random kinds on tensors of random shapes, and the
 * gradient of a weighted sum of what comes out. Everything follows from the seed.
 */
import { concat, gradients, tensor, where } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { range, sizeOf } from '../../lib/graph/shape';

/** Mulberry32, with the draws that the programs need. */
export class Draw {
  constructor(private state: number) {}
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  /** An integer in [low, high]. */
  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }
  of<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)];
  }
  shape(minRank: number, maxRank: number): number[] {
    return range(this.int(minRank, maxRank)).map(() => this.int(1, 5));
  }
  shuffled(n: number): number[] {
    const list = range(n);
    for (let i = n - 1; i > 0; i--) {
      const j = this.int(0, i);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }
  values(shape: readonly number[]): Tensor {
    const data = Float32Array.from({ length: sizeOf(shape) }, () => this.next() * 4 - 2);
    return tensor(data, { shape });
  }
  indices(shape: readonly number[], below: number): Tensor {
    const dtype = this.next() < 0.5 ? 'int32' : 'int64';
    const list = Array.from({ length: sizeOf(shape) }, () => this.int(0, below - 1));
    return tensor(dtype === 'int32' ? Int32Array.from(list) : BigInt64Array.from(list, BigInt), { shape: [...shape] });
  }
}

/** Each takes a tensor and returns another; `fresh` makes an operand of a shape. */
type Step = (x: Tensor, d: Draw, fresh: (shape: readonly number[]) => Tensor) => Tensor;

const axisOf = (x: Tensor, d: Draw): number => d.int(0, x.rank - 1);
/** Seen as a tensor of a given rank or more. */
const atLeast = (x: Tensor, rank: number): Tensor =>
  x.rank >= rank ? x : x.reshape([...new Array<number>(rank - x.rank).fill(1), ...x.shape]);
/** A shape that broadcasts with x's. */
const partner = (x: Tensor, d: Draw): number[] =>
  x.shape.map((n) => (d.next() < 0.3 ? 1 : n)).slice(d.next() < 0.3 ? Math.min(1, x.rank) : 0);
/** Seen as [2 * N, C, ...spatial] for a convolution. */
const image = (x: Tensor, spatial: number): Tensor =>
  atLeast(x, spatial + 2).reshape([-1, ...atLeast(x, spatial + 2).shape.slice(-(spatial + 1))]);

const steps: Record<string, Step> = {
  tanh: (x) => x.tanh(),
  sigmoid: (x) => x.sigmoid(),
  sine: (x) => x.sin().add(x.cos()),
  erf: (x) => x.erf(),
  gelu: (x, d) => x.gelu(d.next() < 0.5),
  exponential: (x) => x.tanh().exp(),
  logarithm: (x) => x.square().add(0.5).log(),
  root: (x) => x.abs().add(0.3).sqrt(),
  clip: (x) => x.clip(-1.2, 0.9),
  add: (x, d, fresh) => x.add(fresh(partner(x, d))),
  subtract: (x, d, fresh) => fresh(partner(x, d)).sub(x),
  multiply: (x, d, fresh) => x.mul(fresh(partner(x, d))),
  divide: (x, d, fresh) => x.div(fresh(partner(x, d)).square().add(0.5)),
  power: (x, d, fresh) =>
    x
      .abs()
      .add(0.4)
      .pow(fresh(partner(x, d))),
  larger: (x, d, fresh) => x.maximum(fresh(partner(x, d))),
  choose: (x, d, fresh) => where(x.less(fresh(partner(x, d))), x.mul(2), x.neg()),
  sum: (x, d) => x.sum(axisOf(x, d), d.next() < 0.5),
  mean: (x, d) => x.mean([axisOf(x, d)], d.next() < 0.5),
  maximum: (x, d) => x.max(axisOf(x, d), d.next() < 0.5),
  minimum: (x, d) => x.min(axisOf(x, d), d.next() < 0.5),
  product: (x, d) => x.tanh().prod(axisOf(x, d), d.next() < 0.5),
  variance: (x) => x.variance(undefined, true),
  softmax: (x, d) => x.softmax(axisOf(x, d)),
  logSoftmax: (x, d) => x.logSoftmax(axisOf(x, d)),
  logSumExp: (x, d) => x.logSumExp(axisOf(x, d)),
  cumulate: (x, d) => x.cumSum(axisOf(x, d), { exclusive: d.next() < 0.5, reverse: d.next() < 0.5 }),
  top: (x, d) => {
    const axis = axisOf(x, d);
    return x.topK(d.int(1, x.shape[axis]), { axis, largest: d.next() < 0.5 }).values;
  },
  argument: (x, d) => {
    const axis = axisOf(x, d);
    return x.mul(x.argMax(axis, true).cast('float32').add(1));
  },
  product2: (x, d, fresh) => {
    const a = atLeast(x, 2);
    const n = d.int(1, 5);
    const [transA, transB] = [d.next() < 0.5, d.next() < 0.5];
    const k = a.shape.at(transA ? -2 : -1)!;
    const batch = d.next() < 0.5 ? [] : a.shape.slice(0, -2).map((s) => (d.next() < 0.5 ? 1 : s));
    return a.matMul(fresh([...batch, ...(transB ? [n, k] : [k, n])]), { transA, transB });
  },
  convolve: (x, d, fresh) => {
    const spatial = d.int(1, 3);
    const a = image(x, spatial);
    const group = d.next() < 0.5 ? 1 : a.shape[1];
    const kernel = range(spatial).map(() => d.int(1, 2));
    const dilations = kernel.map(() => d.int(1, 2));
    const pads = [...kernel, ...kernel].map((_, i) => d.int(i < spatial ? 2 : 0, 2));
    const w = fresh([group * d.int(1, 2), a.shape[1] / group, ...kernel]);
    return a.conv(w, { group, dilations, pads, strides: kernel.map(() => d.int(1, 2)) });
  },
  convolveBack: (x, d, fresh) => {
    const spatial = d.int(1, 3);
    const a = image(x, spatial);
    const group = d.next() < 0.5 ? 1 : a.shape[1];
    const kernel = range(spatial).map(() => d.int(1, 3));
    const strides = kernel.map(() => d.int(1, 2));
    const outputPadding = strides.map((s) => d.int(0, s - 1));
    return a.convTranspose(fresh([a.shape[1], d.int(1, 2), ...kernel]), { group, strides, outputPadding });
  },
  permute: (x, d) => x.transpose(d.shuffled(x.rank)),
  flatten: (x, d) => x.reshape(d.next() < 0.5 ? [-1, x.shape[x.rank - 1]] : [x.shape[0], -1]),
  repeat: (x, d) => x.unsqueeze(0).expand([d.int(1, 3), ...x.shape]),
  cut: (x, d) =>
    x.slice(
      ...x.shape.map((n) => {
        const [a, b] = [d.int(0, n - 1), d.int(0, n - 1)];
        const step = d.int(1, 2);
        return a <= b ? ([a, b + 1, step] as const) : ([a, b, -step] as const);
      }),
    ),
  join: (x, d, fresh) => {
    const axis = axisOf(x, d);
    return concat([x, fresh(x.shape.map((n, i) => (i === axis ? d.int(1, 3) : n))), x], axis);
  },
  pad: (x, d) =>
    x.pad(
      x.shape.map(() => d.int(0, 2)),
      x.shape.map(() => d.int(0, 1)),
      d.of([0, 1.5]),
    ),
  gather: (x, d) => {
    const axis = axisOf(x, d);
    return x.gather(d.indices(d.shape(0, 2), x.shape[axis]), axis);
  },
  scatter: (x, d, fresh) => {
    const axis = axisOf(x, d);
    const at = d.indices(d.shape(0, 2), x.shape[axis]);
    return x.scatterAdd(at, fresh([...x.shape.slice(0, axis), ...at.shape, ...x.shape.slice(axis + 1)]), axis);
  },
  gatherElements: (x, d) => {
    const axis = axisOf(x, d);
    return x.gatherElements(
      d.indices(
        x.shape.map((n) => d.int(1, n)),
        x.shape[axis],
      ),
      axis,
    );
  },
  scatterElements: (x, d, fresh) => {
    const axis = axisOf(x, d);
    const at = d.indices(
      x.shape.map((n) => d.int(1, n)),
      x.shape[axis],
    );
    return x.scatterElements(at, fresh(at.shape), axis, 'add');
  },
  normalise: (x) => x.div(x.square().mean(-1, true).add(1e-3).sqrt()),
};

export const stepNames = Object.keys(steps);

export interface RandomProgram {
  /** The kinds of its operations, for messages. */
  text: string;
  operands: Tensor[];
  /** The result, the loss and the gradients by all operands. */
  run(operands: Tensor[]): Tensor[];
}

/** Elements beyond which a result is cut down, so that programs stay small. */
const LARGE = 400;

/** The program of a seed: 5 to 10 operations, the first of a given kind. */
export function randomProgram(seed: number, first: string): RandomProgram {
  const count = new Draw(seed).int(5, 10);
  const kinds = new Draw(seed ^ 0x5bd1e995);
  const chosen = [first, ...range(count - 1).map(() => kinds.of(stepNames))];
  // The shapes depend on the operations, so the operands are drawn while the program is built once.
  const build = (given: Tensor[] | null): { out: Tensor; loss: Tensor; operands: Tensor[] } => {
    const d = new Draw(seed + 1);
    const made: Tensor[] = [];
    const fresh = (shape: readonly number[]): Tensor => {
      const value = d.values(shape);
      made.push(value);
      return given ? given[made.length - 1] : value;
    };
    let x = fresh(d.shape(1, 4));
    for (const kind of chosen) {
      if (x.rank === 0) x = x.reshape([1]);
      if (x.rank > 4) x = x.reshape([-1, ...x.shape.slice(-3)]);
      x = steps[kind](x, d, fresh);
      if (x.size > LARGE) x = x.reshape([-1]).slice([0, LARGE]).reshape([20, -1]);
    }
    const weights = fresh(x.shape);
    return { out: x, loss: x.mul(weights).sum(), operands: made };
  };
  return {
    text: `seed ${seed}: ${chosen.join(', ')}`,
    operands: build(null).operands,
    run: (operands) => {
      const { out, loss } = build(operands);
      return [out, loss, ...gradients(loss, operands)];
    },
  };
}
