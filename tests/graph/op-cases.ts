/**
 * The cases of tests/goldens/op-cases.jsonl, run on a device and compared with PyTorch's values (tests/goldens/ops.py,
 * which explains how a case is written). `runCase(device, case)` does one; `runCases` compiles several into one
 * program.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fromNumbers, isFloat } from '../../lib/graph/dtype';
import type { DType } from '../../lib/graph/dtype';
import * as graph from '../../lib/graph';
import { gradients, Tensor, tensor } from '../../lib/graph';
import type { OpName } from '../../lib/graph/ops';
import { applyAll, input } from '../../lib/graph/tensor';
import { jit } from '../../lib/runtime';

export interface OpCase {
  /** The line itself: the case's name, and the seed of its operands. */
  line: string;
  op?: OpName;
  method?: string;
  function?: string;
  x: string[];
  params?: object;
  args?: unknown[];
  grad?: boolean;
}
type Value = number | string;
export interface Golden {
  s: number[][];
  y: Value[][];
  g: (Value[] | null)[];
}
/** Results in the shape of a golden record, with what is needed to compare them. */
export interface CaseResult {
  y: { dtype: DType; shape: readonly number[]; values: Float64Array }[];
  g: (Float64Array | null)[];
}

// Tests run from dist; the goldens stay with the sources.
const folder = path.join(__dirname, '../../../tests/goldens');
const readLines = (file: string): string[] => readFileSync(path.join(folder, file), 'utf8').trimEnd().split('\n');

export const opCases: readonly OpCase[] = readLines('op-cases.jsonl').map((line) => ({
  ...(JSON.parse(line) as OpCase),
  line,
}));
const goldens = new Map(
  readLines('data/ops.jsonl').map((line) => {
    const record = JSON.parse(line) as Golden & { case: string };
    return [record.case, record];
  }),
);

/** What a case is about: "conv", ".gelu", "where()". */
export const subjectOf = (c: OpCase): string => c.op ?? (c.method ? `.${c.method}` : `${c.function}()`);

/** FNV-1a, 32 bits. */
export function seedOf(text: string): number {
  let h = 0x811c9dc5;
  for (const byte of Buffer.from(text)) h = Math.imul(h ^ byte, 0x01000193);
  return h >>> 0;
}

/** The i-th number in [0, 1) of a stream: MurmurHash3's finaliser of a counter. */
function uniform(seed: number, i: number): number {
  let h = (seed + Math.imul(i, 0x9e3779b9)) | 0;
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return (h >>> 0) / 2 ** 32;
}

interface Operand {
  dtype: DType;
  shape: number[];
  values: number[];
}

/** An operand such as "float32[2,3] positive". The rule is that of ops.py. */
export function makeOperand(spec: string, seed: number): Operand {
  const match = /^(\w+)\[([\d,]*)\] ?(.*)$/.exec(spec);
  if (!match) throw new Error(`not an operand: ${spec}`);
  const dtype = match[1] as DType;
  const shape = match[2] ? match[2].split(',').map(Number) : [];
  const [kind, rest] = match[3].split(' ');
  if (kind === 'values') return { dtype, shape, values: rest.split(',').map(Number) };
  const steps = dtype === 'float16' ? 2 ** 10 : 2 ** 20;
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: size }, (_, i) => {
    const u = uniform(seed, i);
    const v = Math.floor(u * steps) / steps;
    if (kind === 'below') return Math.floor(u * Number(rest));
    if (kind === 'few') return Math.floor(u * 5) - 2;
    if (kind === 'nonzero') return u < 0.5 ? Math.floor(u * 10) - 5 : Math.floor(u * 10) - 4;
    if (dtype === 'bool') return u < 0.5 ? 1 : 0;
    if (dtype.startsWith('int')) return Math.floor(u * 11) - 5;
    return kind === 'positive' ? v * 2 + 0.5 : v * 4 - 2;
  });
  return { dtype, shape, values };
}

const toTensor = ({ dtype, shape, values }: Operand): Tensor =>
  tensor(fromNumbers('case', dtype, dtype.startsWith('int') ? values.map(Math.trunc) : values), { dtype, shape });

/** The case's operands as concrete tensors. */
const operandsOf = (c: OpCase): Tensor[] => c.x.map((spec, i) => toTensor(makeOperand(spec, seedOf(`${c.line}#${i}`))));

function fillIn(arg: unknown, x: readonly Tensor[]): unknown {
  if (typeof arg === 'string' && arg.startsWith('$')) return x[Number(arg.slice(1))];
  return Array.isArray(arg) ? arg.map((a) => fillIn(a, x)) : arg;
}

/** The results of a case on the given operands, not evaluated. */
function resultsOf(c: OpCase, x: readonly Tensor[]): Tensor[] {
  if (c.op) return applyAll(c.op, (c.params ?? {}) as never, ...x);
  const args = (c.args ?? []).map((a) => fillIn(a, x));
  const call = c.method
    ? (x[0] as unknown as Record<string, (...a: unknown[]) => unknown>)[c.method].bind(x[0])
    : (graph as unknown as Record<string, (...a: unknown[]) => unknown>)[c.function!];
  const y = call(...args);
  if (y instanceof Tensor) return [y];
  return Array.isArray(y) ? (y as Tensor[]) : Object.values(y as Record<string, Tensor>);
}

/** The gradient that arrives at the first result, as a concrete tensor; null if the case has no gradient. */
function upstreamOf(c: OpCase): Tensor | null {
  const [y] = resultsOf(
    c,
    operandsOf(c).map((t) => input(t)),
  );
  if (!isFloat(y.dtype) || c.grad === false || !c.x.some((s) => s.startsWith('float'))) return null;
  const coarse = c.x.every((s) => !s.startsWith('float32'));
  const dy = makeOperand(`${coarse ? 'float16' : 'float32'}[${y.shape.join()}]`, seedOf(`${c.line}#dy`));
  return toTensor({ ...dy, dtype: y.dtype });
}

/** Several cases as one function of a flat list of operands. */
export interface Batch {
  /** Operands and arriving gradients of all cases. */
  operands: Tensor[];
  /** Results and gradients of all cases, given the operands or placeholders for them. */
  build(operands: readonly Tensor[]): Tensor[];
  /** What `build` returned, evaluated and sorted by case. */
  collect(results: readonly Tensor[]): Promise<CaseResult[]>;
}

export function batchOf(cases: readonly OpCase[]): Batch {
  const given = cases.map((c) => ({ x: operandsOf(c), dy: upstreamOf(c) }));
  let counts: { y: number; g: number }[] = [];
  return {
    operands: given.flatMap(({ x, dy }) => (dy ? [...x, dy] : x)),
    build: (operands) => {
      const rest = [...operands];
      const built = cases.map((c, i) => {
        const x = rest.splice(0, given[i].x.length);
        const dy = given[i].dy ? rest.shift()! : null;
        const y = resultsOf(c, x);
        const floats = x.filter((t) => isFloat(t.dtype));
        return { y, g: dy ? gradients(y[0], floats, dy) : [] };
      });
      counts = built.map(({ y, g }) => ({ y: y.length, g: g.length }));
      return built.flatMap(({ y, g }) => [...y, ...g]);
    },
    collect: (results) => {
      const rest = [...results];
      return Promise.all(
        cases.map(async (c, i) => {
          const y = rest.splice(0, counts[i].y);
          const g = await Promise.all(rest.splice(0, counts[i].g).map((t) => t.numbers()));
          return {
            y: await Promise.all(y.map(async (t) => ({ dtype: t.dtype, shape: t.shape, values: await t.numbers() }))),
            g: c.x.map((spec) => (spec.startsWith('float') ? (g.shift() ?? null) : null)),
          };
        }),
      );
    },
  };
}

/** Runs cases on a device, all in one program: results and gradients by every float operand. */
async function runCases(device: string, cases: readonly OpCase[]): Promise<CaseResult[]> {
  const batch = batchOf(cases);
  const step = jit((operands: Tensor[]) => batch.build(operands), { device, name: 'op cases' });
  return batch.collect(await step(batch.operands));
}

/** Allowed deviation: absolute + relative * |expected|. */
const TOLERANCE: Record<DType, [number, number]> = {
  float32: [2e-5, 2e-5],
  float16: [4e-3, 4e-3],
  int32: [0, 0],
  int64: [0, 0],
  bool: [0, 0],
  uint8: [0, 0],
};

function compare(what: string, actual: Float64Array, expected: readonly Value[], dtype: DType, scale: number): void {
  assert.equal(actual.length, expected.length, `${what}: number of elements`);
  const [absolute, relative] = TOLERANCE[dtype];
  expected.forEach((value, i) => {
    const e = Number(value);
    const a = actual[i];
    const same = Object.is(a, e) || a === e || Math.abs(a - e) <= scale * (absolute + relative * Math.abs(e));
    if (!same) assert.fail(`${what}[${i}]: expected ${e}, got ${a}`);
  });
}

/** Compares results with PyTorch's; `scale` widens the tolerance for devices that compute less exactly. */
function checkCase(c: OpCase, result: CaseResult, scale = 1): void {
  const golden = goldens.get(c.line);
  assert.ok(golden, `${c.line}: no stored values; run python3 tests/goldens/ops.py`);
  assert.equal(result.y.length, golden.y.length, `${c.line}: number of results`);
  result.y.forEach((y, i) => {
    assert.deepEqual(y.shape, golden.s[i], `${c.line}: shape of result ${i}`);
    compare(`${c.line}: result ${i}`, y.values, golden.y[i], y.dtype, scale);
  });
  if (result.g.some((g) => g))
    golden.g.forEach((g, i) => {
      if (!g) return;
      assert.ok(result.g[i], `${c.line}: gradient of operand ${i} is missing`);
      const half = c.x.some((s) => s.startsWith('float16')) || result.y[0].dtype === 'float16';
      compare(`${c.line}: gradient ${i}`, result.g[i], g, half ? 'float16' : 'float32', scale);
    });
  else
    assert.ok(
      golden.g.every((g) => !g || !g.length || c.grad === false) || !upstreamOf(c),
      `${c.line}: no gradients came back`,
    );
}

/**
 * Runs cases in one program and compares them; returns one line for each that fails. A program that does not run at
 * all is tried case by case, to name the culprit. `run` may go another way than straight to the device.
 */
export async function failuresOf(
  device: string,
  cases: readonly OpCase[],
  scale = 1,
  run: (device: string, cases: readonly OpCase[]) => Promise<CaseResult[]> = runCases,
): Promise<string[]> {
  let results: CaseResult[];
  try {
    results = await run(device, cases);
  } catch (error) {
    if (cases.length === 1) return [`${cases[0].line}: ${(error as Error).message}`];
    const each: string[] = [];
    for (const c of cases) each.push(...(await failuresOf(device, [c], scale, run)));
    return each.length ? each : [`only together: ${(error as Error).message}`];
  }
  return cases.flatMap((c, i) => {
    try {
      checkCase(c, results[i], scale);
      return [];
    } catch (error) {
      return [(error as Error).message];
    }
  });
}

/** The cases by subject, in the table's order. */
export function casesBySubject(): Map<string, OpCase[]> {
  const groups = new Map<string, OpCase[]>();
  for (const c of opCases) groups.set(subjectOf(c), [...(groups.get(subjectOf(c)) ?? []), c]);
  return groups;
}
