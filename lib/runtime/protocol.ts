/** The messages between a device on the caller's thread and the worker thread that runs its sessions. */
import type { DType, HostTensor, TypedArray } from '../graph/dtype';

export interface SessionOptions {
  provider: 'cpu' | 'webgpu' | 'cuda';
  deviceId: number;
  threads: number;
}

/** An operand: values that the worker holds, or values sent along (and kept under `keep`, if given). */
export type Operand = { buffer: number } | { value: HostTensor; keep?: number };

export type Request =
  | {
      kind: 'load';
      session: string;
      model: Uint8Array;
      options: SessionOptions;
      /** Results that stay in device memory, where the provider has such; the others return to the host at once. */
      deviceOutputs: string[];
      /** How far the runtime may change the program. */
      optimize: 'basic' | 'all';
      /** Whether the session keeps the memory of its runs for the next one. */
      arena: boolean;
    }
  | { kind: 'unload'; session: string }
  | {
      kind: 'run';
      session: string;
      inputs: { name: string; operand: Operand }[];
      /** Results are kept in the worker under `buffer`; with `copy` their values are sent back as well. */
      outputs: { name: string; buffer: number; copy: boolean; dtype: DType; shape: readonly number[] }[];
      /** Buffers given up once the run has ended; their memory is used again. */
      donate: number[];
    }
  | { kind: 'read'; buffer: number }
  | { kind: 'release'; buffers: number[] };

export type Reply = { id: number; ok: true; values?: (TypedArray | null)[] } | { id: number; ok: false; error: string };
