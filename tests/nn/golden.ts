/** Values of tests/goldens/{nn,projectors,omni_r1}.py, and the operands that both sides compute from a name. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { evaluate, gradients, tensor } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { jit } from '../../lib/runtime';
import { makeOperand, seedOf } from '../graph/op-cases';

interface GoldenRecord {
  case: string;
  values?: Record<string, number[]>;
  names?: string[];
}
// Tests run from dist; the goldens stay with the sources.
const folder = path.join(__dirname, '../../../tests/goldens/data');
const records = new Map(
  ['nn', 'projectors', 'omni_r1'].flatMap((file) =>
    readFileSync(path.join(folder, `${file}.jsonl`), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => {
        const record = JSON.parse(line) as GoldenRecord;
        return [record.case, record] as const;
      }),
  ),
);

export function golden(name: string): Record<string, number[]> {
  const values = records.get(name)?.values;
  assert.ok(values, `no stored values of ${name}: run the scripts in tests/goldens`);
  return values;
}
export const goldenNames = (name: string): string[] => records.get(name)!.names!;

/** Uniform in [-2, 2) * scale + shift, determined by the name; the rule is `param` of nn.py. */
export function param(name: string, shape: readonly number[], scale = 1, shift = 0): Tensor {
  const { values } = makeOperand(`float32[${shape.join()}]`, seedOf(name));
  return tensor(
    Float32Array.from(values, (v) => v * scale + shift),
    { shape },
  );
}
/** int32 below a bound, determined by the name. */
export function ints(name: string, shape: readonly number[], below: number): Tensor {
  return tensor(Int32Array.from(makeOperand(`int32[${shape.join()}] below ${below}`, seedOf(name)).values), { shape });
}

/** float32 against float64: relative to the value, or to 1 where it is small. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  what: string,
  tolerance = 1e-5,
): void {
  assert.equal(actual.length, expected.length, `${what}: number of elements`);
  for (let i = 0; i < actual.length; i++)
    if (!(Math.abs(actual[i] - expected[i]) <= tolerance * Math.max(1, Math.abs(expected[i]))))
      assert.fail(`${what}[${i}]: expected ${expected[i]}, got ${actual[i]}`);
}

/** All values of a record of tensors, evaluated in one run. */
export async function valuesOf(tensors: Record<string, Tensor>): Promise<Record<string, Float64Array>> {
  await evaluate(...Object.values(tensors));
  const entries = Object.entries(tensors).map(async ([k, t]) => [k, await t.numbers()] as const);
  return Object.fromEntries(await Promise.all(entries));
}

/** Each tensor against the golden values of its key. */
export async function assertGolden(name: string, tensors: Record<string, Tensor>, tolerance?: number): Promise<void> {
  const actual = await valuesOf(tensors);
  const expected = golden(name);
  for (const key of Object.keys(actual)) assertClose(actual[key], expected[key], `${name}: ${key}`, tolerance);
}

/** A layer's result, and the gradients of sum(result * dy) by the leaves, against PyTorch's: all that are stored. */
export async function checkLayer<L extends Record<string, Tensor>>(
  name: string,
  leaves: L,
  layer: (leaves: L) => Tensor,
): Promise<void> {
  const step = jit(
    (p: Record<string, Tensor>) => {
      const y = layer(p as L);
      const keys = Object.keys(p);
      const grads = gradients(
        y,
        keys.map((k) => p[k]),
        param(`${name}.dy`, y.shape),
      );
      return { y, ...Object.fromEntries(keys.map((k, i) => [`d.${k}`, grads[i]])) };
    },
    { name },
  );
  const found = await step(leaves);
  assert.deepEqual(Object.keys(found).sort(), Object.keys(golden(name)).sort());
  await assertGolden(name, found);
}
