/** The messages between a device on the caller's thread and the worker thread that runs its sessions. */
import type { DType, HostTensor, TypedArray } from '../graph/dtype';

export interface SessionOptions {
  provider: 'cpu' | 'webgpu' | 'cuda';
  deviceId: number;
  threads: number;
}

/** A result of a program: `copy`: its values are sent back as well. */
export interface OutputSpec {
  name: string;
  dtype: DType;
  shape: readonly number[];
  copy: boolean;
}

export type Request =
  | {
      kind: 'load';
      session: string;
      model: Uint8Array;
      options: SessionOptions;
      inputs: readonly string[];
      outputs: readonly OutputSpec[];
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
      // A training step has a thousand operands and results: what does not change is said at loading, the rest is numbers.
      /** For each input the buffer that the worker holds, or -1 where its values are sent along. */
      inputs: Float64Array;
      /** Values sent along, in the order of their inputs; kept under `keep`, if given. */
      values: { value: HostTensor; keep?: number }[];
      /** Results are kept in the worker under this number and those that follow. */
      firstOutput: number;
      /** Buffers given up once the run has ended; their memory is used again. */
      donate: Float64Array;
    }
  | { kind: 'read'; buffer: number }
  | { kind: 'release'; buffers: number[] };

/** `values`: what was read, or of a run the results that are sent back, in order. */
export type Reply = { id: number; ok: true; values?: TypedArray[] } | { id: number; ok: false; error: string };
