/**
 * What Online GRPO carries from step to step besides the weights: the temperature, its target, and the buffer. As tensors
 * of fixed shapes, so that checkpoints hold it as they hold the weights and a resumed run draws what the straight one draws.
 */
import { tensor } from '../graph/tensor';
import type { Tensor } from '../graph/tensor';
import type { PolicyRow } from './grpo-rows';
import { ReplayBuffer } from './replay-buffer';

/** A group of responses to one prompt. */
export type Group = readonly PolicyRow[];

export interface OnlineState {
  temperature: number;
  /** The entropy that the temperature is to hold; null: not known yet. */
  target: number | null;
  buffer: ReplayBuffer<Group>;
}

export interface BufferShape {
  capacity: number;
  /** Responses of a group, and tokens of a response, at most. */
  generations: number;
  length: number;
}

/** Per token of the buffer. */
const COLUMNS = ['advantages', 'old', 'ref'] as const;

export type StoredState = { [name: string]: Tensor };

/** Numbers are kept as float32 everywhere, so that a stored state is the state itself. */
export const initialState = (temperature: number, { capacity }: BufferShape): OnlineState => ({
  temperature: Math.fround(temperature),
  target: null,
  buffer: new ReplayBuffer(capacity),
});

export function packState(state: OnlineState, { capacity, generations, length }: BufferShape): StoredState {
  const { heap } = state.buffer;
  const rows = capacity * generations;
  const ints = (n: number): Int32Array => new Int32Array(n);
  const [tasks, lengths, tokens, own] = [ints(capacity), ints(rows), ints(rows * length), ints(rows * length)];
  const [scores, temperatures] = [new Float32Array(capacity), new Float32Array(capacity)];
  const columns = COLUMNS.map(() => new Float32Array(rows * length));
  heap.forEach(({ score, value }, g) => {
    scores[g] = score;
    tasks[g] = value[0].task;
    temperatures[g] = value[0].temperature;
    value.forEach((row, i) => {
      const at = (g * generations + i) * length;
      lengths[g * generations + i] = row.tokens.length;
      tokens.set(row.tokens, at);
      own.set(row.own.map(Number), at);
      COLUMNS.forEach((name, c) => columns[c].set(row[name], at));
    });
  });
  const shape = [capacity, generations, length];
  const numbers = {
    temperature: tensor(Float32Array.of(state.temperature)),
    target: tensor(Float32Array.of(state.target ?? -1)),
  };
  if (!capacity) return numbers;
  return {
    ...numbers,
    groups: tensor(Int32Array.of(heap.length)),
    scores: tensor(scores),
    tasks: tensor(tasks),
    temperatures: tensor(temperatures),
    lengths: tensor(lengths, { shape: shape.slice(0, 2) }),
    tokens: tensor(tokens, { shape }),
    own: tensor(own, { shape }),
    ...Object.fromEntries(COLUMNS.map((name, c) => [name, tensor(columns[c], { shape })])),
  };
}

export async function unpackState(
  stored: StoredState,
  { capacity, generations, length }: BufferShape,
): Promise<OnlineState> {
  const read = async (name: string): Promise<Int32Array | Float32Array> =>
    (await stored[name].data()) as Int32Array | Float32Array;
  const [[temperature], [target]] = [await read('temperature'), await read('target')];
  const buffer = new ReplayBuffer<Group>(capacity);
  const state = { temperature, target: target < 0 ? null : target, buffer };
  if (!capacity) return state;
  const [groups] = await read('groups');
  const [scores, tasks, temperatures] = [await read('scores'), await read('tasks'), await read('temperatures')];
  const [lengths, tokens, own] = [await read('lengths'), await read('tokens'), await read('own')];
  const columns: Float32Array[] = [];
  for (const name of COLUMNS) columns.push((await read(name)) as Float32Array);
  // The heap as it was: its layout decides what is drawn.
  for (let g = 0; g < groups; g++) {
    const value = Array.from({ length: generations }, (_, i): PolicyRow => {
      const at = (g * generations + i) * length;
      const to = at + lengths[g * generations + i];
      const [advantages, old, ref] = columns.map((c) => c.slice(at, to));
      return {
        task: tasks[g],
        tokens: Array.from(tokens.subarray(at, to)),
        own: Array.from(own.subarray(at, to), Boolean),
        advantages,
        old,
        ref,
        temperature: temperatures[g],
      };
    });
    buffer.heap.push({ score: scores[g], value });
  }
  return state;
}
