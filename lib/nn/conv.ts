/**
 * Convolution layers over one, two or three axes, plain and transposed. Parameters are laid out and drawn as PyTorch's
 * Conv1d ... ConvTranspose3d are: weight [out, in / groups, ...kernel], transposed [in, out / groups, ...kernel].
 */
import { ArgumentError, ShapeError } from '../errors';
import { showShape } from '../graph/shape';
import type { Tensor } from '../graph/tensor';
import { fanInUniform, uniform } from './init';
import type { Noise } from './init';

export type ConvLayerParams = { weight: Tensor; bias?: Tensor };
/** One number for all axes, or one an axis. */
export type PerAxis = number | readonly number[];

export interface ConvInitOptions {
  groups?: number;
  bias?: boolean;
}
export interface ConvOptions {
  stride?: PerAxis;
  /** Zeros at both ends of each axis; 'same' keeps the size (stride 1), an odd zero going to the end. */
  padding?: PerAxis | 'same';
  dilation?: PerAxis;
  groups?: number;
}
export interface ConvTransposeOptions {
  stride?: PerAxis;
  padding?: PerAxis;
  /** Entries added at the end of each axis, to reach a size that the stride leaves open. */
  outputPadding?: PerAxis;
  dilation?: PerAxis;
  groups?: number;
}

/** One entry an axis. Throws ArgumentError unless each is an integer of at least `least`. */
export function perAxis(where: string, name: string, value: PerAxis, axes: number, least: number): number[] {
  const list = typeof value === 'number' ? new Array<number>(axes).fill(value) : [...value];
  if (list.length !== axes || list.some((v) => !Number.isInteger(v) || v < least))
    throw new ArgumentError(
      where,
      `expected ${name} of ${axes} integers of at least ${least}, got [${list.join(', ')}]`,
      'give one number for all axes, or one an axis',
    );
  return list;
}

function drawLayer(
  where: string,
  rng: Noise,
  channels: readonly [number, number],
  kernel: readonly number[],
  { groups = 1, bias = true }: ConvInitOptions,
  transposed: boolean,
): ConvLayerParams {
  const [inputs, outputs] = channels;
  if (![inputs, outputs, groups].every((n) => Number.isInteger(n) && n > 0) || inputs % groups || outputs % groups)
    throw new ArgumentError(
      where,
      `expected numbers of channels divisible by the groups, got ${inputs} -> ${outputs} in ${groups} groups`,
      'choose groups that divide both',
    );
  const shape = transposed ? [inputs, outputs / groups, ...kernel] : [outputs, inputs / groups, ...kernel];
  const weight = fanInUniform(rng, shape);
  const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
  return bias ? { weight, bias: uniform(rng, [outputs], 1 / Math.sqrt(fanIn)) } : { weight };
}

type Init = (
  rng: Noise,
  inputs: number,
  outputs: number,
  kernel: PerAxis,
  options?: ConvInitOptions,
) => ConvLayerParams;
const initOf =
  (where: string, axes: number, transposed: boolean): Init =>
  (rng, inputs, outputs, kernel, options = {}) =>
    drawLayer(where, rng, [inputs, outputs], perAxis(where, 'a kernel', kernel, axes, 1), options, transposed);

/** Weights and biases uniform within 1 / sqrt(in / groups * kernel elements), PyTorch's default. */
export const conv1dInit = initOf('conv1dInit', 1, false);
export const conv2dInit = initOf('conv2dInit', 2, false);
export const conv3dInit = initOf('conv3dInit', 3, false);
/** As for the plain layers; the fan is that of PyTorch, out / groups * kernel elements. */
export const convTranspose1dInit = initOf('convTranspose1dInit', 1, true);
export const convTranspose2dInit = initOf('convTranspose2dInit', 2, true);
export const convTranspose3dInit = initOf('convTranspose3dInit', 3, true);

function checkRanks(where: string, p: ConvLayerParams, x: Tensor, axes: number): void {
  if (x.rank !== axes + 2 || p.weight.rank !== axes + 2)
    throw new ShapeError(
      where,
      `expected an input [N, C, ${axes} spatial axes] and such weights, got ${showShape(x.shape)} and ${showShape(p.weight.shape)}`,
      'add the batch axis, or use the layer of the right number of axes',
    );
}

const addBias = (y: Tensor, bias: Tensor | undefined): Tensor =>
  bias ? y.add(bias.reshape([bias.size, ...y.shape.slice(2).map(() => 1)])) : y;

type Conv = (p: ConvLayerParams, x: Tensor, options?: ConvOptions) => Tensor;
function convolve(where: string, p: ConvLayerParams, x: Tensor, o: ConvOptions, axes: number): Tensor {
  checkRanks(where, p, x, axes);
  const strides = perAxis(where, 'strides', o.stride ?? 1, axes, 1);
  const dilations = perAxis(where, 'dilations', o.dilation ?? 1, axes, 1);
  let pads: number[];
  if (o.padding === 'same') {
    if (strides.some((s) => s !== 1))
      throw new ArgumentError(
        where,
        `expected stride 1 with padding 'same', got strides [${strides.join(', ')}]`,
        'give the padding in numbers',
      );
    const total = dilations.map((d, i) => d * (p.weight.shape[i + 2] - 1));
    pads = [...total.map((n) => Math.floor(n / 2)), ...total.map((n) => Math.ceil(n / 2))];
  } else {
    const sides = perAxis(where, 'paddings', o.padding ?? 0, axes, 0);
    pads = [...sides, ...sides];
  }
  return addBias(x.conv(p.weight, { strides, dilations, pads, group: o.groups ?? 1 }), p.bias);
}
const convOf =
  (where: string, axes: number): Conv =>
  (p, x, options = {}) =>
    convolve(where, p, x, options, axes);

/** x [N, in, T] -> [N, out, T']. Throws ShapeError and ArgumentError. */
export const conv1d = convOf('conv1d', 1);
/** x [N, in, H, W] -> [N, out, H', W']. */
export const conv2d = convOf('conv2d', 2);
/** x [N, in, D, H, W] -> [N, out, D', H', W']. */
export const conv3d = convOf('conv3d', 3);
/** The convolution over as many axes as the weights have. */
export const conv: Conv = (p, x, options = {}) => convolve('conv', p, x, options, p.weight.rank - 2);

type ConvTranspose = (p: ConvLayerParams, x: Tensor, options?: ConvTransposeOptions) => Tensor;
const convTransposeOf =
  (where: string, axes: number): ConvTranspose =>
  (p, x, o = {}) => {
    checkRanks(where, p, x, axes);
    const sides = perAxis(where, 'paddings', o.padding ?? 0, axes, 0);
    const y = x.convTranspose(p.weight, {
      strides: perAxis(where, 'strides', o.stride ?? 1, axes, 1),
      dilations: perAxis(where, 'dilations', o.dilation ?? 1, axes, 1),
      pads: [...sides, ...sides],
      group: o.groups ?? 1,
      outputPadding: perAxis(where, 'output paddings', o.outputPadding ?? 0, axes, 0),
    });
    return addBias(y, p.bias);
  };

/**
 * x [N, in, T] -> [N, out, (T - 1) stride - 2 padding + dilation (kernel - 1) + outputPadding + 1], each axis alike.
 */
export const convTranspose1d = convTransposeOf('convTranspose1d', 1);
export const convTranspose2d = convTransposeOf('convTranspose2d', 2);
export const convTranspose3d = convTransposeOf('convTranspose3d', 3);
