/** Values of tests/goldens/diffusion.py, and models with its weights. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { treeMap } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { assertClose, param, valuesOf } from '../nn/golden';

const folder = path.join(__dirname, '../../../tests/goldens/data');
/** A StableDiffusionPipeline that diffusers saved. */
export const tinyPipeline = path.join(folder, 'tiny-pipeline');

const records = new Map(
  readFileSync(path.join(folder, 'diffusion.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const record = JSON.parse(line) as { case: string; values?: Record<string, number[]>; names?: string[] };
      return [record.case, record];
    }),
);
export const goldenCases = [...records.keys()];
export function golden(name: string): Record<string, number[]> {
  const values = records.get(name)?.values;
  assert.ok(values, `no stored values of ${name}: run python3 tests/goldens/diffusion.py`);
  return values;
}
export const goldenTexts = (name: string): string[] => records.get(name)!.names!;

/** The rule of `fill` there: weights follow from their names. */
export const filled = <P>(params: P, name: string): P =>
  treeMap(params, (t, key) => {
    const norm = key.includes('norm') && !key.includes('attn');
    return param(`${name}.${key}`, t.shape, norm ? 0.125 : 0.15, norm && key.includes('weight') ? 1 : 0);
  });

/** All tensors against the golden values of their keys; all that are stored are looked at. */
export async function assertGolden(name: string, tensors: Record<string, Tensor>, tolerance?: number): Promise<void> {
  const actual = await valuesOf(tensors);
  const expected = golden(name);
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(expected).sort());
  for (const key of Object.keys(actual)) assertClose(actual[key], expected[key], `${name}: ${key}`, tolerance);
}

/** The keys of gradients that are stored. */
export const gradientKeys = (name: string): string[] => Object.keys(golden(name)).filter((k) => k.startsWith('d.'));
