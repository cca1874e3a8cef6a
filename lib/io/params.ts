/** Trees of concrete tensors to host values and files, and back: parameters, checkpoints, artefacts. */
import { FormatError } from '../errors';
import { fromFloat16 } from '../graph/dtype';
import type { HostTensor } from '../graph/dtype';
import { sameShape, showShape } from '../graph/shape';
import { tensor } from '../graph/tensor';
import { tensorsOf, treeMap } from '../graph/tree';
import { readHostTensors, writeSafetensors } from './safetensors';

/** The values of all tensors by path. */
export async function toHost(tree: unknown): Promise<Record<string, HostTensor>> {
  const out: Record<string, HostTensor> = {};
  for (const { path, tensor: t } of tensorsOf(tree))
    out[path] = { dtype: t.dtype, shape: t.shape, data: await t.data() };
  return out;
}

/** A tree of the structure of `like` with stored values. Throws FormatError for missing, foreign or misshapen tensors. */
export function fromHost<T>(where: string, like: T, stored: Record<string, HostTensor>): T {
  const names = new Set(tensorsOf(like).map(({ path }) => path));
  const foreign = Object.keys(stored).find((name) => !names.has(name));
  if (foreign)
    throw new FormatError(
      where,
      `expected the tensors of this model, found "${foreign}"`,
      'the file belongs to another model or configuration',
    );
  return treeMap(like, (t, path) => {
    const value = stored[path];
    if (!value || value.dtype !== t.dtype || !sameShape(value.shape, t.shape))
      throw new FormatError(
        where,
        `expected "${path}" as ${t.dtype} ${showShape(t.shape)}, got ${value ? `${value.dtype} ${showShape(value.shape)}` : 'nothing'}`,
        'the file belongs to another model or configuration',
      );
    return tensor(value.data, { shape: value.shape, dtype: value.dtype });
  });
}

/** A tree with the same values in storage of its own, for a step that takes its arguments over. */
export const copyTree = async <T>(tree: T): Promise<T> => fromHost('copy', tree, await toHost(tree));

/** Writes a tree as a safetensors file, each tensor under its path. */
export const saveParams = async (file: string, tree: unknown): Promise<void> =>
  writeSafetensors(file, await toHost(tree), { format: 'pt' });

/** Reads such a file into the structure of `like`. Throws FormatError. */
export const loadParams = async <T>(file: string, like: T): Promise<T> =>
  fromHost(file, like, (await readHostTensors(file)).tensors);

/** Refuses values that are not finite. @throws FormatError naming the tensor */
export function checkFinite(where: string, stored: Record<string, HostTensor>): void {
  for (const [name, { dtype, data }] of Object.entries(stored)) {
    if (dtype !== 'float32' && dtype !== 'float16') continue;
    const values = data as Float32Array | Uint16Array;
    for (let i = 0; i < values.length; i++) {
      const value = dtype === 'float16' ? fromFloat16(values[i]) : values[i];
      if (!Number.isFinite(value))
        throw new FormatError(
          where,
          `expected finite values in "${name}", got ${value} at ${i}`,
          'the file is damaged, or the training diverged: write or download it again',
        );
    }
  }
}

/** As loadParams, for weights that a model computes with: they must be finite. Throws FormatError. */
export async function loadWeights<T>(file: string, like: T): Promise<T> {
  const { tensors } = await readHostTensors(file);
  checkFinite(file, tensors);
  return fromHost(file, like, tensors);
}

/** Values to initialise a structure with whose tensors are about to be loaded. */
export const noNoise = {
  normals: (n: number): Float32Array => new Float32Array(n),
  uniforms: (n: number): Float32Array => new Float32Array(n),
};
