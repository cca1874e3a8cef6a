/**
 * Modules that are trained whole beside an adapter, as PEFT's `modules_to_save`: embeddings and head, for new tokens.
 */
import { ArgumentError } from '../errors';
import type { Tensor } from '../graph/tensor';
import { tensorsOf, treeMap } from '../graph/tree';

/** Tensors by path ("lm_head.weight"). */
export type SavedModules = { [path: string]: Tensor };

/** The tensors of the modules whose last name is given. Throws ArgumentError when a name matches none. */
export function pickModules(params: unknown, names: readonly string[]): SavedModules {
  const all = tensorsOf(params);
  return Object.fromEntries(
    names.flatMap((name) => {
      const found = all.filter(({ path }) => path.split('.').at(-2) === name);
      if (!found.length)
        throw new ArgumentError(
          'pickModules',
          `expected the name of a module of this model, got "${name}"`,
          'for example lm_head or embed_tokens',
        );
      return found.map(({ path, tensor }) => [path, tensor]);
    }),
  );
}

/** The parameters with some tensors replaced. Throws ArgumentError for a path that the model lacks. */
export function replaceModules<P>(params: P, modules: SavedModules): P {
  const left = new Set(Object.keys(modules));
  const out = treeMap(params, (t, path) => {
    left.delete(path);
    return modules[path] ?? t;
  });
  if (left.size)
    throw new ArgumentError(
      'replaceModules',
      `expected modules of this model, found no ${[...left][0]}`,
      'load them beside the model that they were trained on',
    );
  return out;
}
