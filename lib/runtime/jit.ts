/**
 * `jit` turns a TypeScript function over trees of tensors into a compiled step: traced once for each combination of
 * shapes and types, run on a device, its state left there. Expressions outside of a compiled function are evaluated by
 * the same machinery when their values are asked for.
 */
import { ArgumentError } from '../errors';
import { fromNumbers } from '../graph/dtype';
import { buildProgram } from '../graph/program';
import type { Program } from '../graph/program';
import { Storage } from '../graph/storage';
import { constant, evaluate, fromStorage, input, setEvaluator, Tensor } from '../graph/tensor';
import { mapLeaves, walkTree } from '../graph/tree';
import { defaultDevice, getDevice } from './device';
// Whoever compiles needs the engines to be known.
import './ort-device';
import './tfjs';
import type { Executable } from './device';

/** What may be passed where the function takes T: numbers stand for float32 scalars. */
export type Feed<T> = T extends Tensor ? Tensor | number : T extends object ? { [K in keyof T]: Feed<T[K]> } : T;
export type Feeds<A extends unknown[]> = { [K in keyof A]: Feed<A[K]> };

export interface JitOptions {
  /**
   * Positions of arguments that the call takes over: their memory is used again, and they cannot be used afterwards.
   */
  donate?: readonly number[];
  /** Where to run; the default device, if not given. */
  device?: string;
  /**
   * Tensors from outside become part of the graph if they have at most so many elements and their values are on the
   * host; others are operands. Default 256. The runtime prepares weights that are part of the graph for its products.
   */
  embed?: number;
  /** For messages. */
  name?: string;
  /** Called whenever the function was traced and compiled for new shapes. */
  onCompile?: (executable: Executable) => void;
}

export interface Compiled<A extends unknown[], R> {
  (...args: Feeds<A>): Promise<R>;
  /** The function itself. Call this one (or the compiled one) inside another traced function. */
  fn: (...args: A) => R;
  /** The program for these arguments, for inspection: nodes, and the ONNX file's hash. */
  lower(...args: Feeds<A>): { program: Program; executable: Executable };
  /** Drops what was compiled and the memory that it holds; the next call compiles again. */
  release(): void;
}

/** Small host values that a function uses from outside become part of its graph, unless `embed` says otherwise. */
const EMBED_ELEMENTS = 256;

/** Depth of functions being traced; a compiled function called while another is traced becomes part of it. */
let tracing = 0;

interface Entry {
  program: Program;
  executable: Executable;
  captured: Tensor[];
  /** For each leaf of the result: a result of the program, or an argument that is passed through. */
  results: ({ output: number } | { argument: number })[];
  /** The result's structure: numbers index `results`. */
  skeleton: unknown;
  donated: Set<number>;
}

function captureInto(captured: Tensor[], embed: number): (t: Tensor) => Tensor {
  return (t) => {
    t.storage!.check('jit');
    const values = t.storage!.hostValues;
    if (values && t.size <= embed) {
      // Large ones are read once, by the writer, and not copied before.
      const data = t.size <= EMBED_ELEMENTS ? values.slice() : values;
      return constant({ dtype: t.dtype, shape: t.shape, data });
    }
    captured.push(t);
    return input(t);
  };
}

/**
 * Compiles `fn`, which must be synchronous and free of side effects, and return a tree of tensors. Strings, booleans,
 * null and undefined among the arguments are fixed at tracing (another value: another trace). A tensor that `fn` uses
 * from outside is an operand too: the tensor that it found when it was traced, also if a variable holds another one later.
 * A result that is an argument shares its values. Throws ShapeError and ArgumentError while tracing, DeviceError, DisposedError,
 * CancelledError while running.
 */
export function jit<A extends unknown[], R>(fn: (...args: A) => R, options: JitOptions = {}): Compiled<A, R> {
  const name = options.name ?? (fn.name || 'jit');
  const cache = new Map<string, Entry>();

  const flatten = (args: unknown[]): { leaves: Tensor[]; owner: number[]; key: string } => {
    const leaves: Tensor[] = [];
    const owner: number[] = [];
    const parts: string[] = [options.device ?? defaultDevice(), structureOf(args)];
    args.forEach((arg, i) =>
      walkTree(
        arg,
        (leaf, path) => {
          const tensor = typeof leaf === 'number' ? scalar(leaf) : leaf;
          if (tensor instanceof Tensor) {
            leaves.push(tensor);
            owner.push(i);
            parts.push(`${path}:${tensor.dtype}[${tensor.shape.join()}]`);
          } else if (['string', 'boolean', 'undefined'].includes(typeof leaf) || leaf === null)
            parts.push(`${path}=${JSON.stringify(leaf)}`);
          else
            throw new ArgumentError(
              name,
              `expected tensors, numbers, strings or booleans as arguments, got ${Object.prototype.toString.call(leaf)} at ${path}`,
              'wrap typed arrays in tensor(...)',
            );
        },
        String(i),
      ),
    );
    return { leaves, owner, key: parts.join(';') };
  };

  const trace = (args: unknown[], leaves: Tensor[], owner: number[]): Entry => {
    const placeholders = leaves.map((t) => input(t));
    let next = 0;
    const symbolic = args.map((arg) =>
      mapLeaves(arg, (leaf) => (leaf instanceof Tensor || typeof leaf === 'number' ? placeholders[next++] : leaf)),
    );
    tracing++;
    let result: unknown;
    try {
      result = fn(...(symbolic as A));
    } finally {
      tracing--;
    }
    if (result instanceof Promise) {
      // What becomes of it is of no interest any more; a rejection that nobody handles would end the process.
      result.catch(() => undefined);
      throw new ArgumentError(
        name,
        'expected a function that returns tensors, got one that returns a promise',
        'the traced function must not be async: it only describes the computation',
      );
    }
    const outputs: Tensor[] = [];
    const results: Entry['results'] = [];
    const skeleton = mapLeaves(result, (leaf, path) => {
      const t = typeof leaf === 'number' ? scalar(leaf) : leaf;
      if (!(t instanceof Tensor)) {
        if (t === undefined || t === null || typeof t === 'string' || typeof t === 'boolean') return new Fixed(t);
        throw new ArgumentError(
          name,
          `expected a tree of tensors as the result, got ${Object.prototype.toString.call(t)} at "${path}"`,
          'return tensors in plain objects and arrays',
        );
      }
      const argument = placeholders.findIndex((p) => p.node === t.node);
      results.push(argument >= 0 ? { argument } : { output: outputs.push(t) - 1 });
      return new Slot(results.length - 1);
    });
    const captured: Tensor[] = [];
    const program = buildProgram(placeholders, outputs, captureInto(captured, options.embed ?? EMBED_ELEMENTS));
    const executable = getDevice(options.device).compile(program, name);
    options.onCompile?.(executable);
    const donated = new Set(owner.flatMap((o, i) => (options.donate?.includes(o) ? [i] : [])));
    return { program, executable, captured, results, skeleton, donated };
  };

  const prepare = (args: unknown[]): { entry: Entry; leaves: Tensor[] } => {
    const { leaves, owner, key } = flatten(args);
    let entry = cache.get(key);
    if (!entry) {
      entry = trace(args, leaves, owner);
      cache.set(key, entry);
    }
    return { entry, leaves };
  };

  const run = async (...args: unknown[]): Promise<R> => {
    const { entry, leaves } = prepare(args);
    await evaluate(...leaves, ...entry.captured);
    const storages = [...leaves, ...entry.captured].map((t) => t.storage!);
    for (const s of storages) s.check(name);
    // An argument that is passed through keeps its memory.
    const through = new Set(entry.results.flatMap((r) => ('argument' in r ? [storages[r.argument]] : [])));
    const donate = new Set([...entry.donated].filter((i) => !through.has(storages[i])));
    const out = entry.program.outputs.length ? await entry.executable.run(storages, donate) : [];
    const moved = new Map<Storage, Storage>();
    for (const i of entry.donated) {
      const storage = storages[i];
      if (through.has(storage) && !moved.has(storage)) {
        const heir = new Storage(storage.dtype, storage.shape, storage.hostValues);
        for (const [device, resident] of storage.residents) heir.residents.set(device, resident);
        moved.set(storage, heir);
      }
      storage.invalidate(`donated to ${name}`);
    }
    const results = entry.results.map((r) => {
      const storage = 'output' in r ? out[r.output] : storages[r.argument];
      return fromStorage(moved.get(storage) ?? storage);
    });
    return mapLeaves(entry.skeleton, (slot) =>
      slot instanceof Slot ? results[slot.index] : (slot as Fixed).value,
    ) as R;
  };

  const call = (...args: unknown[]): Promise<R> | R =>
    tracing > 0
      ? fn(...(mapLeaves(args, (leaf) => (typeof leaf === 'number' ? scalar(leaf) : leaf)) as A))
      : run(...args);

  return Object.assign(call as unknown as Compiled<A, R>, {
    fn,
    release: () => {
      for (const { executable } of cache.values()) executable.release();
      cache.clear();
    },
    lower: (...args: unknown[]) => {
      const { entry } = prepare(args);
      return { program: entry.program, executable: entry.executable };
    },
  });
}

/** The nesting of arrays and objects, without their leaves: {a: x, b: []} and {a: x} are traced apart. */
function structureOf(tree: unknown): string {
  if (Array.isArray(tree)) return `[${tree.map(structureOf).join()}]`;
  if (typeof tree !== 'object' || tree === null || tree instanceof Tensor) return '';
  return `{${Object.entries(tree)
    .map(([k, v]) => `${JSON.stringify(k)}${structureOf(v)}`)
    .sort()
    .join()}}`;
}

/** Stands for a tensor in the structure of a result. */
class Slot {
  constructor(readonly index: number) {}
}

/** A leaf of a result that is no tensor. */
class Fixed {
  constructor(readonly value: unknown) {}
}

const scalar = (value: number): Tensor =>
  fromStorage(new Storage('float32', [], fromNumbers('jit', 'float32', [value])));

setEvaluator(async (tensors) => {
  const captured: Tensor[] = [];
  // Values are fed, not embedded: the same expression of other values is then the same session.
  const program = buildProgram([], tensors, captureInto(captured, 0));
  const executable = getDevice().compile(program, 'evaluate');
  const storages = await executable.run(captured.map((t) => t.storage!));
  tensors.forEach((t, i) => (t.storage = storages[i]));
});
