/**
 * The device `tfjs`: interprets a program operation by operation with TensorFlow.js. It is there to check the ONNX
 * engine by a second one that shares no code with it, and works wherever Node does; it is slow. Limits: int64 is held
 * as int32 (a value that does not fit is an error); float16 is computed in float32 and rounded after each operation.
 * Results are host values. TensorFlow.js is loaded when the device is first asked for.
 */
import { createHash } from 'node:crypto';
import type { Program } from '../graph/program';
import { Storage } from '../graph/storage';
import type { Node, Tensor } from '../graph/tensor';
import { checkCancelled } from './cancel';
import { registerDevice } from './device';
import type { Device, Executable } from './device';
import { loadTensorFlow } from './tfjs-library';
import type { Tf, TfTensor } from './tfjs-library';
import { download, upload } from './tfjs-host';
import { computeNode } from './tfjs-rules';

/** After this long the event loop gets a turn, so that timers and output stay alive. */
const TURN_MS = 50;

const keyOf = (t: Tensor): string => `${t.node.id}:${t.index}`;

/** SHA-256 of a program: its operations, parameters, types and connections, whatever the nodes' numbers. */
function hashProgram(program: Program): string {
  const names = new Map<string, string>();
  program.inputs.forEach((t, i) => names.set(keyOf(t), `i${i}`));
  const hash = createHash('sha256');
  const type = (t: { dtype: string; shape: readonly number[] }): string => `${t.dtype}[${t.shape.join()}]`;
  for (const t of program.inputs) hash.update(`${type(t)};`);
  program.nodes.forEach((node, n) => {
    node.types.forEach((_, i) => names.set(`${node.id}:${i}`, `${n}.${i}`));
    const operands = node.inputs.map((t) => names.get(keyOf(t))).join();
    hash.update(`${node.op}(${operands})${node.types.map(type).join()}`);
    if (node.op === 'constant') {
      const { data } = (node as unknown as Node<'constant'>).params;
      hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    } else hash.update(`${JSON.stringify(node.params)};`);
  });
  return hash.update(program.outputs.map((t) => names.get(keyOf(t))).join()).digest('hex');
}

/** How often each value is used, so that it can be freed after its last use. */
function countUses(program: Program): Map<string, number> {
  const uses = new Map<string, number>();
  for (const t of [...program.nodes.flatMap((n) => n.inputs), ...program.outputs])
    uses.set(keyOf(t), (uses.get(keyOf(t)) ?? 0) + 1);
  return uses;
}

class TfjsDevice implements Device {
  private readonly tf: Tf;
  private tail: Promise<unknown> = Promise.resolve();
  constructor(readonly name: string) {
    this.tf = loadTensorFlow().tf;
  }

  compile(program: Program, name: string): Executable {
    return {
      hash: hashProgram(program),
      nodeCount: program.nodes.filter((n) => n.op !== 'constant').length,
      run: (inputs, donate) => this.queue(() => this.run(program, name, inputs, donate ?? new Set())),
      release: () => undefined,
    };
  }

  /**
   * One call after the other, as on the other devices: what an earlier one was given is gone when the next one looks.
   */
  private queue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work);
    this.tail = result.catch(() => undefined);
    return result;
  }

  private async run(
    program: Program,
    name: string,
    inputs: readonly Storage[],
    donate: ReadonlySet<number>,
  ): Promise<Storage[]> {
    checkCancelled(name);
    const arrays = await Promise.all(inputs.map((s) => s.read('run')));
    await this.tf.ready();
    const held = new Map<string, TfTensor>();
    const uses = countUses(program);
    const done = (t: Tensor): void => {
      const key = keyOf(t);
      const left = (uses.get(key) ?? 0) - 1;
      uses.set(key, left);
      if (left > 0) return;
      held.get(key)?.dispose();
      held.delete(key);
    };
    try {
      program.inputs.forEach((t, i) => {
        if (uses.has(keyOf(t))) held.set(keyOf(t), upload(this.tf, t.dtype, t.shape, arrays[i]));
      });
      let since = performance.now();
      for (const node of program.nodes) {
        const out = computeNode(
          this.tf,
          node,
          node.inputs.map((t) => held.get(keyOf(t))!),
        );
        out.forEach((t, i) => {
          const key = `${node.id}:${i}`;
          if (uses.has(key)) held.set(key, t);
          else t.dispose();
        });
        node.inputs.forEach(done);
        if (performance.now() - since > TURN_MS) {
          await new Promise((resolve) => setImmediate(resolve));
          since = performance.now();
        }
      }
      const results = program.outputs.map((t) => {
        const storage = new Storage(t.dtype, t.shape, download(t.dtype, held.get(keyOf(t))!));
        done(t);
        return storage;
      });
      // Donated operands may also lie on other devices, whose memory is given back.
      for (const i of donate) for (const resident of inputs[i].residents.values()) resident.release();
      return results;
    } finally {
      for (const t of held.values()) t.dispose();
    }
  }

  async close(): Promise<void> {
    // Nothing outlives a run.
  }
}

registerDevice(/^tfjs$/, (name) => new TfjsDevice(name));
