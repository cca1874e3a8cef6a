/**
 * Element-wise work on many tensors, the small ones together: for these an operation's overhead is more than its work, and a small model
 * has hundreds of them. Values are what they would be one by one.
 */
import { concat } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';

/** Tensors of at most so many elements are joined with others of their rows' shape. */
const SMALL = 2 ** 14;

/** Groups of tensors to be treated together, by their indices: small ones of one type, rows' shape and kind; each other one alone. */
export function groupSmall(tensors: readonly Tensor[], kindOf: (index: number) => string = () => ''): number[][] {
  const groups = new Map<string, number[]>();
  tensors.forEach((t, i) => {
    const small = t.rank > 0 && t.size <= SMALL;
    const key = small ? `${t.dtype} ${t.shape.slice(1).join()} ${kindOf(i)}` : `${i}`;
    const group = groups.get(key);
    if (group) group.push(i);
    else groups.set(key, [i]);
  });
  return [...groups.values()];
}

/** Tensors of one rows' shape, one below the other. */
export const joined = (tensors: readonly Tensor[]): Tensor =>
  tensors.length === 1 ? tensors[0] : concat([...tensors]);

/**
 * Applies an element-wise function to each row of tensors of one shape. `fn` gets the tensors of a group, joined, and the index of its
 * first row; rows of different kinds are never in one group.
 */
export function mapJoined(
  rows: readonly (readonly Tensor[])[],
  fn: (tensors: Tensor[], row: number) => Tensor[],
  kindOf?: (row: number) => string,
): Tensor[][] {
  const results = new Array<Tensor[]>(rows.length);
  const firsts = rows.map(([t]) => t);
  for (const group of groupSmall(firsts, kindOf)) {
    const whole = fn(
      rows[group[0]].map((_, column) => joined(group.map((row) => rows[row][column]))),
      group[0],
    );
    const parts = whole.map((t) =>
      group.length === 1
        ? [t]
        : t.split(
            group.map((row) => firsts[row].shape[0]),
            0,
          ),
    );
    group.forEach((row, i) => (results[row] = parts.map((list) => list[i])));
  }
  return results;
}
