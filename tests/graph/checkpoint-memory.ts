/**
 * Prints the peak memory of one training step over a chain of layers with large activations, for checkpoint.test.ts,
 * which runs it in a process of its own: node checkpoint-memory.js <plain|checkpointed>. Output: JSON {peakMB, baseMB,
 * loss, norm}.
 */
import { checkpoint, full, tensor, valueAndGrad } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { closeDevices, jit } from '../../lib/runtime';

const ROWS = 16384;
const WIDTH = 128;
const LAYERS = 12;

function layer(x: Tensor, w: Tensor): Tensor {
  return x.add(x.matMul(w).gelu().tanh());
}

async function main(): Promise<void> {
  const body = process.argv[2] === 'checkpointed' ? checkpoint(layer) : layer;
  const weights = Array.from({ length: LAYERS }, (_, l) =>
    tensor(
      Float32Array.from({ length: WIDTH * WIDTH }, (_, i) => Math.sin(i * 0.7 + l) / 16),
      { shape: [WIDTH, WIDTH] },
    ),
  );
  const rows = full([ROWS, 1], 0.01);
  const x = tensor(
    Float32Array.from({ length: WIDTH }, (_, i) => Math.cos(i)),
    { shape: [1, WIDTH] },
  );
  const step = jit((ws: Tensor[], input: Tensor) => {
    const { value, grads } = valueAndGrad((w: Tensor[]) =>
      w
        .reduce((h, wl) => body(h, wl), input.add(rows))
        .square()
        .mean(),
    )(ws);
    return { loss: value, norm: grads.map((g) => g.square().sum()).reduce((a, b) => a.add(b)) };
  });
  // Starting the worker takes memory too.
  const one = jit((t: Tensor) => t.mul(2));
  await (await one(tensor([1, 2]))).data();
  const baseMB = process.resourceUsage().maxRSS / 1024;
  const { loss, norm } = await step(weights, x);
  const out = {
    loss: await loss.item(),
    norm: await norm.item(),
    baseMB,
    peakMB: process.resourceUsage().maxRSS / 1024,
  };
  console.log(JSON.stringify(out));
  await closeDevices();
}

void main();
