/**
 * Where an execution provider computes an operator wrongly, or not at all, the operator is written in another way for
 * it.
 */
import type { ConvParams, OpName, OpParams } from '../ops';
import { NF4 } from '../nf4';
import { range, sameShape, sizeOf } from '../shape';
import { onnxRules } from './rules';
import type { Args, Rule, Target } from './rules';
import { DATA_TYPE } from './schema';

type Override<P> = { applies: (args: Args<P>) => boolean; rule: Rule<P> };

/** Entries of one axis, in any order, by a look-up. */
function pick(e: Args<unknown>['e'], x: string, axis: number, positions: number[]): string {
  const [indices] = e.emit('Cast', [e.ints(positions)], { to: DATA_TYPE.int32 });
  return e.emit('Gather', [x, indices], { axis })[0];
}

/** A convolution with three spatial axes, one group after the other. */
function convByGroup(
  e: Args<unknown>['e'],
  x: string,
  w: string,
  p: ConvParams & { shape: readonly number[] },
  y: string,
): void {
  const { group, shape, ...rest } = p;
  const attributes = { kernel_shape: shape.slice(2), ...rest, group: 1 };
  const parts = (name: string, size: number, axis: number): string[] =>
    e.emit('Split', [name, e.ints(new Array<number>(group).fill(size))], { axis }, group);
  if (group === 1) return void e.emit('Conv', [x, w], attributes, [y]);
  const inputs = parts(x, shape[1], 1);
  const weights = parts(w, shape[0] / group, 0);
  const outputs = inputs.map((name, i) => e.emit('Conv', [name, weights[i]], attributes)[0]);
  e.emit('Concat', outputs, { axis: 1 }, [y]);
}

/** x - max - log(sum(exp(x - max))) */
const logSoftmax: Override<{ axis: number }>['rule'] = ({ e, p, x, y }) => {
  const axis = e.ints([p.axis]);
  const [top] = e.emit('ReduceMax', [x[0], axis], { keepdims: 1 });
  const [centred] = e.emit('Sub', [x[0], top]);
  const [exponentials] = e.emit('Exp', [centred]);
  const [sum] = e.emit('ReduceSum', [exponentials, axis], { keepdims: 1 });
  e.emit('Sub', [centred, e.emit('Log', [sum])[0]], {}, y);
};

/** The matrix written out: codes to numbers by a look-up, times their scales. */
const matMulNf4: Override<{ transB: boolean }>['rule'] = ({ e, p, x, xt: [, codes, scales], y }) => {
  const [outputs, half] = codes.shape;
  const blocks = sizeOf(scales.shape);
  const [wide] = e.emit('Cast', [x[1]], { to: DATA_TYPE.int32 });
  const parts = ['Div', 'Mod'].map((op) => {
    const [code] = e.emit(op, [wide, e.scalar('int32', 16)]);
    return e.emit('Unsqueeze', [code, e.ints([-1])])[0];
  });
  const [pairs] = e.emit('Concat', parts, { axis: -1 });
  const [flat] = e.emit('Reshape', [pairs, e.ints([blocks, -1])]);
  const [numbers] = e.emit('Gather', [e.floats(NF4), flat], { axis: 0 });
  const [column] = e.emit('Unsqueeze', [x[2], e.ints([-1])]);
  const [scaled] = e.emit('Mul', [numbers, column]);
  const [matrix] = e.emit('Reshape', [scaled, e.ints([outputs, 2 * half])]);
  const right = p.transB ? e.emit('Transpose', [matrix], { perm: [1, 0] })[0] : matrix;
  e.emit('MatMul', [x[0], right], {}, y);
};

/** onnxruntime 1.30 on WebGPU. */
const webgpu: { [K in OpName]?: Override<OpParams[K]> } = {
  // Broadcasting along an inner axis fails ("raw_hash_map<>::at"), so the operands are repeated first.
  pow: {
    applies: ({ xt, yt }) => xt.some((t) => !sameShape(t.shape, yt[0].shape) && sizeOf(t.shape) !== 1),
    rule: ({ e, x, xt, y, yt: [{ shape }] }) => {
      const whole = x.map((name, i) =>
        sameShape(xt[i].shape, shape) ? name : e.emit('Expand', [name, e.ints(shape)])[0],
      );
      e.emit('Pow', whole, {}, y);
    },
  },
  // Negative steps start from the wrong end (microsoft/onnxruntime #25160), so these axes are looked up.
  slice: {
    applies: ({ p }) => p.steps.some((s) => s < 0),
    rule: (a) => {
      const { e, p, x, xt, yt } = a;
      const back = range(p.steps.length).filter((i) => p.steps[i] < 0);
      const turned = back.reduce((name, axis) => {
        const positions = range(yt[0].shape[axis]).map((i) => p.starts[axis] + i * p.steps[axis]);
        return pick(e, name, axis, positions);
      }, x[0]);
      const forward = <T>(list: readonly T[], instead: (axis: number) => T): T[] =>
        list.map((v, i) => (back.includes(i) ? instead(i) : v));
      const shape = forward(xt[0].shape, (i) => yt[0].shape[i]);
      const rest = {
        starts: forward(p.starts, () => 0),
        ends: forward(p.ends, (i) => yt[0].shape[i]),
        steps: forward(p.steps, () => 1),
      };
      if (sameShape(shape, yt[0].shape)) e.emit('Identity', [turned], {}, a.y);
      else onnxRules.slice({ ...a, p: rest, x: [turned], xt: [{ dtype: xt[0].dtype, shape }] });
    },
  },
  // There is none, and logits are too large to go to the CPU and back.
  logSoftmax: { applies: () => true, rule: logSoftmax },
  matMulNf4: { applies: () => true, rule: matMulNf4 },
  // Groups are refused with three spatial axes.
  conv: {
    applies: ({ xt, p }) => xt[0].shape.length === 5 && p.group > 1,
    rule: ({ e, p, x, xt, y }) => convByGroup(e, x[0], x[1], { ...p, shape: xt[1].shape }, y[0]),
  },
  // There is none with three spatial axes: a convolution of the input, spread out by the stride, with the mirrored
  // kernel.
  convTranspose: {
    applies: ({ xt }) => xt[0].shape.length === 5,
    rule: ({ e, p, x, xt: [t, w], y }) => {
      const axes = [2, 3, 4];
      const shape = [...t.shape];
      const spread = axes.reduce((name, axis, i) => {
        const step = p.strides[i];
        if (step === 1) return name;
        const [before, after] = [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis + 1))];
        const [apart] = e.emit('Reshape', [name, e.ints([before, shape[axis], 1, after])]);
        const widths = e.ints([0, 0, 0, 0, 0, 0, step - 1, 0]);
        const [wide] = e.emit('Pad', [apart, widths, e.scalar(t.dtype, 0)]);
        shape[axis] *= step;
        return e.emit('Reshape', [wide, e.ints(shape)])[0];
      }, x[0]);
      const kernel = w.shape.slice(2);
      const [c, m] = [w.shape[0] / p.group, w.shape[1]];
      const [grouped] = e.emit('Reshape', [x[1], e.ints([p.group, c, m, ...kernel])]);
      const [swapped] = e.emit('Transpose', [grouped], { perm: [0, 2, 1, 3, 4, 5] });
      const [weights] = e.emit('Reshape', [swapped, e.ints([p.group * m, c, ...kernel])]);
      const mirrored = axes.reduce(
        (name, axis, i) => (kernel[i] === 1 ? name : pick(e, name, axis, range(kernel[i]).reverse())),
        weights,
      );
      // Padding of the result is what the kernel's reach is short of; a negative one cuts the input.
      const reach = kernel.map((k, i) => p.dilations[i] * (k - 1));
      const begin = reach.map((r, i) => r - p.pads[i]);
      const end = reach.map((r, i) => r - p.pads[i + 3] + p.outputPadding[i] - (p.strides[i] - 1));
      const cut = [...begin, ...end].some((n) => n < 0)
        ? e.emit('Slice', [
            spread,
            e.ints(begin.map((n) => Math.max(-n, 0))),
            e.ints(end.map((n, i) => shape[i + 2] - Math.max(-n, 0))),
            e.ints(axes),
          ])[0]
        : spread;
      const pads = [...begin, ...end].map((n) => Math.max(n, 0));
      const { dilations, group } = p;
      const weightShape = [group * m, c, ...kernel];
      convByGroup(e, cut, mirrored, { strides: [1, 1, 1], pads, dilations, group, shape: weightShape }, y[0]);
    },
  },
};

/** Fused operators of the runtime, written out. */
const portable: { [K in OpName]?: Override<OpParams[K]> } = {
  matMulNf4: { applies: () => true, rule: matMulNf4 },
  rmsNormalization: {
    applies: () => true,
    rule: ({ e, p, x, xt, y }) => {
      const [square] = e.emit('Mul', [x[0], x[0]]);
      const [mean] = e.emit('ReduceMean', [square, e.ints([-1])], { keepdims: 1 });
      const [sum] = e.emit('Add', [mean, e.scalar(xt[0].dtype, p.epsilon)]);
      const [root] = e.emit('Sqrt', [sum]);
      const [normal] = e.emit('Div', [x[0], root]);
      e.emit('Mul', [normal, x[1]], {}, y);
    },
  },
  rotaryEmbedding: {
    applies: () => true,
    rule: ({ e, x, xt, y }) => {
      const half = xt[0].shape[3] / 2;
      // Tables for each row of the batch get an axis for the heads.
      const [cos, sin] = [1, 2].map((i) =>
        xt[i].shape.length === 3 ? e.emit('Unsqueeze', [x[i], e.ints([1])])[0] : x[i],
      );
      const [left, right] = e.emit('Split', [x[0], e.ints([half, half])], { axis: 3 }, 2);
      const times = (a: string, b: string): string => e.emit('Mul', [a, b])[0];
      const [first] = e.emit('Sub', [times(left, cos), times(right, sin)]);
      const [second] = e.emit('Add', [times(right, cos), times(left, sin)]);
      e.emit('Concat', [first, second], { axis: 3 }, y);
    },
  },
};

/**
 * onnxruntime 1.30's MatMulBnb4 reads its matrix transposed even where transB is 0, and beyond its end (seen as wrong
 * values and a crash of the process).
 */
const cpu: { [K in OpName]?: Override<OpParams[K]> } = {
  matMulNf4: { applies: ({ p }) => !p.transB, rule: matMulNf4 },
  // Batches of products read their operands transposed, instead of copies.
  matMul: {
    applies: ({ p, xt: [a, b] }) => (p.transA || p.transB) && a.dtype === 'float32' && b.shape.length > 2,
    rule: ({ e, p, x, y }) =>
      void e.emit(
        'FusedMatMul',
        x,
        { transA: p.transA ? 1 : 0, transB: p.transB ? 1 : 0, alpha: { float: 1 } },
        y,
        'com.microsoft',
      ),
  },
};

const overrides: Partial<Record<Target, { [K in OpName]?: Override<OpParams[K]> }>> = {
  cpu,
  cuda: cpu,
  webgpu,
  portable,
};

/** How a primitive is written for an execution provider. */
export function ruleFor(target: Target, op: OpName): (args: Args<never>) => void {
  const special = overrides[target]?.[op] as Override<never> | undefined;
  const usual = onnxRules[op] as Rule<never>;
  return (args) => (special?.applies(args) ? special.rule(args) : usual(args));
}
