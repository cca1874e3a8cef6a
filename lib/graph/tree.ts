/**
 * Trees: tensors in nested plain objects and arrays, as parameters, optimiser states and batches are. Keys are visited
 * in sorted order, so that two objects with the same entries flatten alike.
 */
import { ArgumentError } from '../errors';
import { Tensor } from './tensor';

export type Tree<T> = T | readonly Tree<T>[] | { readonly [key: string]: Tree<T> };
/** A nested record of tensors, the usual form of parameters. */
export type Params = { [key: string]: Params | Tensor };

const isPlain = (v: unknown): v is Record<string, unknown> =>
  typeof v === 'object' && v !== null && [Object.prototype, null].includes(Object.getPrototypeOf(v) as object | null);

/** Calls `visit` with each leaf that is not an array or plain object, and its path ("layers.0.weight"), in order. */
export function walkTree(tree: unknown, visit: (leaf: unknown, path: string) => void, path = ''): void {
  const join = (k: string | number): string => (path ? `${path}.${k}` : String(k));
  if (Array.isArray(tree)) tree.forEach((item, i) => walkTree(item, visit, join(i)));
  else if (isPlain(tree)) for (const k of Object.keys(tree).sort()) walkTree(tree[k], visit, join(k));
  else visit(tree, path);
}

/** A tree of the same structure with each leaf replaced. */
export function mapLeaves<R>(tree: unknown, f: (leaf: unknown, path: string) => R, path = ''): unknown {
  const join = (k: string | number): string => (path ? `${path}.${k}` : String(k));
  if (Array.isArray(tree)) return tree.map((item, i) => mapLeaves(item, f, join(i)));
  if (isPlain(tree))
    return Object.fromEntries(
      Object.keys(tree)
        .sort()
        .map((k) => [k, mapLeaves(tree[k], f, join(k))]),
    );
  return f(tree, path);
}

/** The tensors of a tree with their paths, in order. Other leaves are left out. */
export function tensorsOf(tree: unknown): { path: string; tensor: Tensor }[] {
  const out: { path: string; tensor: Tensor }[] = [];
  walkTree(tree, (leaf, path) => {
    if (leaf instanceof Tensor) out.push({ path, tensor: leaf });
  });
  return out;
}

/** A tree of the same structure with each tensor replaced; other leaves are kept. */
export function treeMap<T>(tree: T, f: (t: Tensor, path: string) => Tensor): T {
  return mapLeaves(tree, (leaf, path) => (leaf instanceof Tensor ? f(leaf, path) : leaf)) as T;
}

/** Maps over several trees of one structure at once; throws where they differ. */
export function treeZip<T>(where: string, tree: T, others: unknown[], f: (t: Tensor, ...rest: Tensor[]) => Tensor): T {
  const lists = others.map((o) => new Map(tensorsOf(o).map(({ path, tensor }) => [path, tensor])));
  for (const list of lists)
    if (list.size !== tensorsOf(tree).length)
      throw new ArgumentError(
        where,
        `expected trees of ${tensorsOf(tree).length} tensors, got one of ${list.size}`,
        'pass trees of one structure',
      );
  return treeMap(tree, (t, path) =>
    f(
      t,
      ...lists.map((list) => {
        const other = list.get(path);
        if (!other)
          throw new ArgumentError(
            where,
            `expected trees of one structure, found no "${path}" in one of them`,
            'pass trees of one structure',
          );
        return other;
      }),
    ),
  );
}

/** A flat record path -> tensor, as checkpoints store it. */
export function flattenTree(tree: unknown): Record<string, Tensor> {
  return Object.fromEntries(tensorsOf(tree).map(({ path, tensor }) => [path, tensor]));
}

/** The number of elements of all tensors of a tree. */
export const countElements = (tree: unknown): number => tensorsOf(tree).reduce((n, { tensor }) => n + tensor.size, 0);
