/**
 * Writes the models that onnx_check.py looks at: one for each group of operation cases (with gradients), and a training
 * step. Run: node dist/tests/goldens/onnx-models.js <folder>
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { buildProgram, constant, saveOnnx, tensor, valueAndGrad } from '../../lib/graph';
import type { Program, Tensor } from '../../lib/graph';
import { input } from '../../lib/graph/tensor';
import { batchOf, casesBySubject } from '../graph/op-cases';

const program = (inputs: Tensor[], outputs: Tensor[]): Program =>
  buildProgram(inputs, outputs, (t) => constant({ dtype: t.dtype, shape: t.shape, data: t.storage!.hostValues! }));

/** Two layers with a norm, cross-entropy, gradients and a step of gradient descent. */
function trainingStep(): Program {
  const shapes = { embed: [16, 8], scale: [8], up: [8, 32], down: [32, 16] };
  const params = Object.fromEntries(
    Object.entries(shapes).map(([k, shape]) => [k, input({ dtype: 'float32', shape }, k)]),
  );
  const tokens = input({ dtype: 'int32', shape: [2, 5] });
  const table = tensor(new Float32Array(16 * 8).fill(0.1), { shape: [16, 8] });
  const { value, grads } = valueAndGrad((p: Record<string, Tensor>) => {
    const x = p.embed.add(table).gather(tokens);
    const hidden = x.mul(x.square().mean(-1, true).add(1e-5).rsqrt()).mul(p.scale).matMul(p.up).silu().matMul(p.down);
    return hidden.logSoftmax().gatherElements(tokens.unsqueeze(2), 2).mean().neg();
  })(params);
  const names = Object.keys(params);
  return program(
    [...names.map((k) => params[k]), tokens],
    [value, ...names.map((k) => params[k].sub(grads[k].mul(0.1)))],
  );
}

async function main(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  let n = 0;
  for (const [subject, cases] of casesBySubject()) {
    const batch = batchOf(cases);
    const placeholders = batch.operands.map((t) => input(t));
    const file = path.join(folder, `${String(n++).padStart(3, '0')}_${subject.replace(/\W/g, '')}.onnx`);
    await saveOnnx(file, program(placeholders, batch.build(placeholders)));
  }
  await saveOnnx(path.join(folder, 'step.onnx'), trainingStep(), { externalBytes: 256 });
  console.log(`${n + 1} models in ${folder}`);
}

void main(process.argv[2] ?? 'onnx-models');
