/**
 * Reverse-mode differentiation: a walk over the graph from the loss back, with one rule an operation (grad-rules.ts).
 * The gradient is itself a graph, so forward, backward and update compile into one program.
 */
import { ArgumentError, ShapeError } from '../errors';
import { isFloat } from './dtype';
import { gradRules } from './grad-rules';
import type { GradArgs } from './grad-rules';
import { sameShape, showShape, stretchedAxes } from './shape';
import { apply, Node, nodeCounter, onesLike, Tensor, zerosLike } from './tensor';
import { tensorsOf, treeMap, walkTree } from './tree';

type Rule = (args: GradArgs<unknown>) => ((() => Tensor | null) | null)[];

const keyOf = (t: Tensor): string => `${t.node.id}:${t.index}`;

/** Nodes from the leaves to `roots`, each after its operands. Iterative: graphs are deep. */
export function topologicalOrder(roots: readonly Tensor[], stop: (t: Tensor) => boolean = () => false): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const todo: { node: Node; next: number }[] = [];
  for (const root of roots) {
    if (!stop(root) && !seen.has(root.node)) {
      seen.add(root.node);
      todo.push({ node: root.node, next: 0 });
    }
    while (todo.length) {
      const top = todo[todo.length - 1];
      if (top.next === top.node.inputs.length) {
        order.push(top.node);
        todo.pop();
        continue;
      }
      const x = top.node.inputs[top.next++];
      if (stop(x) || seen.has(x.node)) continue;
      seen.add(x.node);
      todo.push({ node: x.node, next: 0 });
    }
  }
  return order;
}

/** A gradient summed over the axes along which its operand was broadcast. */
function unbroadcast(g: Tensor, x: Tensor): Tensor {
  if (sameShape(g.shape, x.shape)) return g;
  return g.sum(stretchedAxes(x.shape, g.shape), x.rank === g.rank).reshape(x.shape);
}

/**
 * Gradients of `y` by each of `wrt`. `y` is a scalar, or `dy` gives the gradient that arrives at it. A tensor that `y`
 * does not depend on gets zeros.
 */
export function gradients(y: Tensor, wrt: readonly Tensor[], dy?: Tensor): Tensor[] {
  return reverse(y, wrt, dy, false);
}

/** With `cut`, the targets count as leaves even where one of them was computed from another. */
function reverse(y: Tensor, wrt: readonly Tensor[], dy: Tensor | undefined, cut: boolean): Tensor[] {
  if (!dy && y.size !== 1)
    throw new ShapeError(
      'gradients',
      `expected a scalar loss, got shape ${showShape(y.shape)}`,
      'reduce it with .mean() or .sum(), or pass the gradient that arrives at it',
    );
  if (!isFloat(y.dtype))
    throw new ArgumentError('gradients', `expected a float loss, got ${y.dtype}`, 'only float tensors have gradients');
  if (dy && (!sameShape(dy.shape, y.shape) || dy.dtype !== y.dtype))
    throw new ShapeError(
      'gradients',
      `expected an arriving gradient like ${y.toString()}, got ${dy.toString()}`,
      'it has one entry for each entry of the tensor that is differentiated',
    );
  const targets = new Map(wrt.map((t) => [keyOf(t), t]));
  for (const t of wrt)
    if (!isFloat(t.dtype))
      throw new ArgumentError(
        'gradients',
        `expected float tensors to differentiate by, got ${t.toString()}`,
        'leave integer and bool tensors out of the parameters',
      );

  const order = topologicalOrder([y], (t) => cut && targets.has(keyOf(t)));
  const active = new Set<Node>();
  for (const node of order) if (node.inputs.some((x) => active.has(x.node) || targets.has(keyOf(x)))) active.add(node);

  const grads = new Map<string, Tensor>([[keyOf(y), dy ?? onesLike(y)]]);
  for (const node of order.reverse()) {
    if (!active.has(node)) continue;
    // Of the operations with several results only the first is differentiable (topK's values).
    const g = grads.get(`${node.id}:0`);
    if (!g) continue;
    const thunks = (gradRules[node.op] as Rule)({ dy: g, y: new Tensor(node, 0), x: node.inputs, p: node.params });
    node.inputs.forEach((x, i) => {
      const key = keyOf(x);
      if (!active.has(x.node) && !targets.has(key)) return;
      const raw = isFloat(x.dtype) ? thunks[i]?.() : null;
      if (!raw) return;
      const part = unbroadcast(raw, x);
      const sum = grads.get(key);
      grads.set(key, sum ? sum.add(part) : part);
    });
  }
  return wrt.map((t) => grads.get(keyOf(t)) ?? zerosLike(t));
}

type LossOf<R> = R extends Tensor ? R : R extends { loss: Tensor } ? R : never;

/**
 * A function that returns what `fn` returns and its gradients by the first argument (a tree of float tensors).
 * `fn` returns a scalar, or an object whose `loss` is one (the rest: metrics).
 */
export function valueAndGrad<P, A extends unknown[], R extends Tensor | { loss: Tensor }>(
  fn: (params: P, ...args: A) => R,
): (params: P, ...args: A) => { value: LossOf<R>; grads: P } {
  return (params, ...args) => {
    const leaves = differentiable(params).map(({ tensor }) => tensor);
    const uses = new Map<string, number>();
    for (const t of leaves) uses.set(keyOf(t), (uses.get(keyOf(t)) ?? 0) + 1);
    // A tensor that stands at two places is two operands, each with the gradient of its own place, as in a traced
    // function.
    const separate = leaves.map((t) => (uses.get(keyOf(t)) === 1 ? t : apply('reshape', { shape: [...t.shape] }, t)));
    let next = 0;
    const value = fn(
      treeMap(params, () => separate[next++]),
      ...args,
    );
    const loss = value instanceof Tensor ? value : (value as { loss?: unknown } | undefined)?.loss;
    if (!(loss instanceof Tensor))
      throw new ArgumentError(
        'valueAndGrad',
        'expected the function to return a tensor or {loss: tensor}',
        'return the scalar loss',
      );
    const grads = gradients(loss, separate);
    let i = 0;
    return { value: value as LossOf<R>, grads: treeMap(params, () => grads[i++]) };
  };
}

/** The tensors of a tree of parameters. Throws ArgumentError where there is none, or one that has no gradient. */
function differentiable(params: unknown): { path: string; tensor: Tensor }[] {
  walkTree(params, (leaf, path) => {
    const where = path ? ` at "${path}"` : '';
    if (leaf instanceof Tensor ? !isFloat(leaf.dtype) : typeof leaf === 'number')
      throw new ArgumentError(
        'valueAndGrad',
        `expected float tensors to differentiate by, got ${leaf instanceof Tensor ? leaf.toString() : `the number ${String(leaf)}`}${where}`,
        'pass what is no parameter (token ids, masks, sizes) as a further argument',
      );
  });
  const leaves = tensorsOf(params);
  if (!leaves.length)
    throw new ArgumentError(
      'valueAndGrad',
      'expected tensors in the first argument, got none',
      'the gradient is taken by the first argument: a tensor, or objects and arrays of tensors',
    );
  return leaves;
}

/** The gradients of a scalar function by its first argument. */
export function grad<P, A extends unknown[]>(fn: (params: P, ...args: A) => Tensor): (params: P, ...args: A) => P {
  const both = valueAndGrad(fn);
  return (params, ...args) => both(params, ...args).grads;
}

/**
 * A function with a gradient of its own: `forward(...x)` computes y, `backward(dy, y, ...x)` returns one gradient (or
 * null) an operand, in the operands' shapes.
 */
export function customGradient(
  forward: (...x: Tensor[]) => Tensor,
  backward: (dy: Tensor, y: Tensor, ...x: Tensor[]) => (Tensor | null)[],
): (...x: Tensor[]) => Tensor {
  return (...x) => apply('customGradient', { backward: backward }, forward(...x), ...x);
}

let nextCopy = 1;

/**
 * `fn` with its inner results dropped after the forward pass and computed again in the backward pass: memory for time
 * (Chen et al. 2016, "Training deep nets with sublinear memory cost"). `fn` returns one tensor; what it uses from
 * outside (parameters in a closure) is differentiated too.
 */
export function checkpoint<A extends unknown[]>(fn: (...args: A) => Tensor): (...args: A) => Tensor {
  return (...args) => {
    const start = nodeCounter();
    const y = fn(...args);
    if (!(y instanceof Tensor))
      throw new ArgumentError(
        'checkpoint',
        'expected the function to return one tensor',
        'return the tensor itself; join several with concat',
      );
    if (y.node.id < start) return y;
    const outside = (t: Tensor): boolean => t.node.id < start || t.storage !== null || t.node.op === 'input';
    const inner = topologicalOrder([y], outside);
    const frontier = [...new Map(inner.flatMap((n) => n.inputs.filter(outside)).map((t) => [keyOf(t), t])).values()];

    const backward = (dy: Tensor, _y: Tensor, ...x: Tensor[]): (Tensor | null)[] => {
      // The recomputation must wait for the backward pass to arrive, so results of the forward pass go through a
      // barrier.
      const computed = frontier.some((t) => t.node.op !== 'input' && isFloat(t.dtype));
      const waiting = x.map((t) =>
        isFloat(t.dtype) && (!computed || t.node.op !== 'input') ? apply('barrier', {}, t, dy) : t,
      );
      const copy = nextCopy++;
      const map = new Map(frontier.map((t, i) => [keyOf(t), waiting[i]]));
      for (const node of inner) {
        const inputs = node.inputs.map((t) => map.get(keyOf(t)) ?? t);
        const again = node.inputs.length ? new Node(node.op, node.params, inputs, node.types, copy) : node;
        node.types.forEach((_, i) => map.set(`${node.id}:${i}`, new Tensor(again, i)));
      }
      const targets = waiting.filter((t) => isFloat(t.dtype));
      const grads = reverse(map.get(keyOf(y))!, targets, dy, true);
      let i = 0;
      return waiting.map((t) => (isFloat(t.dtype) ? grads[i++] : null));
    };
    return apply('customGradient', { backward: backward }, y, ...frontier);
  };
}
