/**
 * Prints the peak memory of one training step over a chain of layers with large activations, for checkpoint.test.ts,
 * which runs it in a process of its own: node checkpoint-memory.js <plain|checkpointed>. Output: JSON {peakMB, baseMB,
 * loss, norm}.
 */
import * as fs from 'node:fs';
import { checkpoint, full, tensor, valueAndGrad } from '../../lib/graph';
import type { Tensor } from '../../lib/graph';
import { closeDevices, jit } from '../../lib/runtime';

const ROWS = 16384;
const WIDTH = 128;
const LAYERS = 12;

function layer(x: Tensor, w: Tensor): Tensor {
  return x.add(x.matMul(w).gelu().tanh());
}

/**
 * The process's peak resident memory in MB. getrusage's figure, which Node gives, starts from that of the process that
 * started this one, so the kernel's own count is read where there is one.
 */
function peak(): number {
  const status = '/proc/self/status';
  const line = fs.existsSync(status) ? /VmHWM:\s+(\d+) kB/.exec(fs.readFileSync(status, 'utf8')) : null;
  return (line ? Number(line[1]) : process.resourceUsage().maxRSS) / 1024;
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
  const baseMB = peak();
  const { loss, norm } = await step(weights, x);
  const out = {
    loss: await loss.item(),
    norm: await norm.item(),
    baseMB,
    peakMB: peak(),
  };
  console.log(JSON.stringify(out));
  await closeDevices();
}

void main();
