/**
 * Every contact with ONNX Runtime. It runs in a worker thread, because a run blocks its thread.
 *
 * | provider | where           | state between calls              | notes                                            |
 * |----------|-----------------|----------------------------------|--------------------------------------------------|
 * | cpu      | everywhere      | arrays of this thread, reused    | threads are set explicitly                       |
 * | webgpu   | Linux, mac, win | buffers on the device            | opaque: upload and read through Identity graphs  |
 * | cuda     | Linux, user's   | arrays of this thread            | outputs always return to the host in Node        |
 */
import * as ort from 'onnxruntime-node';
import type { DType, HostTensor, TypedArray } from '../graph/dtype';
import { BYTES_PER_ELEMENT, emptyArray } from '../graph/dtype';
import { sizeOf } from '../graph/shape';
import { COPY_INPUT, COPY_OUTPUT, copyModel } from '../graph/onnx/copy';
import type { OutputSpec, Request, SessionOptions } from './protocol';

type RunRequest = Extract<Request, { kind: 'run' }>;
type LoadRequest = Extract<Request, { kind: 'load' }>;

/** Arrays of at least this many bytes are used again instead of being left to the garbage collector. */
const REUSE_BYTES = 4096;

interface Loaded {
  session: ort.InferenceSession;
  options: SessionOptions;
  inputs: readonly string[];
  outputs: readonly OutputSpec[];
  /** Bytes of all results. */
  resultBytes: number;
}

/** float16 is a Uint16Array on both sides; worker.ts sees to that where JavaScript has a Float16Array. */
const toOrt = (value: HostTensor): ort.Tensor =>
  new ort.Tensor(value.dtype, value.data as Float32Array, [...value.shape]);

export class Engine {
  private sessions = new Map<string, Loaded>();
  /** Sessions that copy, by direction, type and rank. */
  private copies = new Map<string, ort.InferenceSession>();
  private buffers = new Map<number, ort.Tensor>();
  /** Free arrays by type and size, those given back least recently first. */
  private pool = new Map<string, TypedArray[]>();
  private pooledBytes = 0;
  /** Bytes of the largest results of one run: a step needs no more spare memory than its results take. */
  private spareBytes = 0;

  static providers(): { name: string; bundled: boolean }[] {
    return ort.listSupportedBackends().map((b) => ({ name: b.name, bundled: b.bundled }));
  }

  async load(request: LoadRequest): Promise<void> {
    const { session, model, options, inputs, outputs, deviceOutputs, optimize, arena } = request;
    if (this.sessions.has(session)) return;
    const gpu = options.provider !== 'cpu';
    const created = await ort.InferenceSession.create(model, {
      executionProviders: [
        options.provider === 'cuda' ? { name: 'cuda', deviceId: options.deviceId } : options.provider,
      ],
      intraOpNumThreads: options.threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: optimize,
      enableCpuMemArena: arena,
      ...(options.provider === 'webgpu'
        ? { preferredOutputLocation: Object.fromEntries(deviceOutputs.map((name) => [name, 'gpu-buffer' as const])) }
        : {}),
      // 4: fatal only. Errors arrive as exceptions; warnings come for each node that is moved between providers.
      logSeverityLevel: 4,
      extra: {
        // Equal computations were merged when the program was built, recomputations excepted: those must stay apart.
        optimization: { disable_specified_optimizers: 'EliminateCommonSubexpression;CommonSubexpressionElimination' },
        session: { intra_op: { allow_spinning: gpu ? '0' : '1' }, set_denormal_as_zero: '1' },
      },
    });
    const resultBytes = outputs.reduce((n, { dtype, shape }) => n + sizeOf(shape) * BYTES_PER_ELEMENT[dtype], 0);
    this.sessions.set(session, { session: created, options, inputs, outputs, resultBytes });
  }

  async unload(session: string): Promise<void> {
    const loaded = this.sessions.get(session);
    this.sessions.delete(session);
    await loaded?.session.release();
  }

  /** Runs a session; returns the values of the results that are sent back. */
  async run(request: RunRequest): Promise<TypedArray[]> {
    const loaded = this.sessions.get(request.session);
    if (!loaded) throw new Error(`session ${request.session} is not loaded`);
    const onDevice = loaded.options.provider === 'webgpu';
    const feeds: Record<string, ort.Tensor> = {};
    let sent = 0;
    for (const [i, name] of loaded.inputs.entries()) {
      const buffer = request.inputs[i];
      if (buffer >= 0) {
        const held = this.buffers.get(buffer);
        if (!held) throw new Error(`input ${name} is no longer held (buffer ${buffer})`);
        feeds[name] = held;
        continue;
      }
      // What is used once goes along with the run, which copies it to the device by itself.
      const { value, keep } = request.values[sent++];
      let operand = toOrt(value);
      if (keep !== undefined) {
        if (onDevice) operand = await this.copy('device', operand);
        this.buffers.set(keep, operand);
      }
      feeds[name] = operand;
    }
    const fetches: Record<string, ort.Tensor | null> = {};
    for (const { name, dtype, shape } of loaded.outputs) fetches[name] = onDevice ? null : this.takeFree(dtype, shape);
    this.spareBytes = Math.max(this.spareBytes, loaded.resultBytes);
    let results: Record<string, ort.Tensor>;
    try {
      results = await loaded.session.run(feeds, fetches);
    } catch (error) {
      const inputs = Object.entries(feeds).map(
        ([name, t]) => `${name}: ${t.type} [${t.dims.join(', ')}] (${t.location})`,
      );
      throw new Error(`${(error as Error).message}\ninputs: ${inputs.slice(0, 40).join('; ')}`, { cause: error });
    }
    const values: TypedArray[] = [];
    for (const [i, { name, copy }] of loaded.outputs.entries()) {
      const buffer = request.firstOutput + i;
      this.buffers.set(buffer, results[name]);
      if (copy) values.push(await this.read(buffer));
    }
    this.release(request.donate);
    return values;
  }

  /** A copy of a buffer's values. */
  async read(buffer: number): Promise<TypedArray> {
    const held = this.buffers.get(buffer);
    if (!held) throw new Error(`buffer ${buffer} is no longer held`);
    if (held.location === 'gpu-buffer') return (await this.copy('host', held)).data as TypedArray;
    return (held.data as TypedArray).slice();
  }

  release(buffers: Iterable<number>): void {
    for (const id of buffers) {
      const held = this.buffers.get(id);
      this.buffers.delete(id);
      if (!held) continue;
      if (held.location === 'gpu-buffer') held.dispose();
      else this.giveFree(held.type as DType, held.dims, held.data as TypedArray);
    }
  }

  /** A tensor for the runtime to write into: memory that was given back, or null to let it allocate. */
  private takeFree(dtype: DType, shape: readonly number[]): ort.Tensor | null {
    const size = sizeOf(shape);
    if (size * BYTES_PER_ELEMENT[dtype] < REUSE_BYTES) return null;
    const free = this.pool.get(`${dtype}:${size}`)?.pop();
    if (free) this.pooledBytes -= free.byteLength;
    return toOrt({ dtype, shape, data: free ?? emptyArray(dtype, size) });
  }

  private giveFree(dtype: DType, shape: readonly number[], data: TypedArray): void {
    const size = sizeOf(shape);
    if (data.byteLength < REUSE_BYTES) return;
    const key = `${dtype}:${size}`;
    const list = this.pool.get(key) ?? [];
    list.push(data);
    this.pooledBytes += data.byteLength;
    this.pool.delete(key);
    this.pool.set(key, list);
    for (const [oldest, arrays] of this.pool) {
      while (this.pooledBytes > this.spareBytes && arrays.length) this.pooledBytes -= arrays.pop()!.byteLength;
      if (arrays.length) break;
      this.pool.delete(oldest);
    }
  }

  /** Copies a tensor to or from device memory, through a session that returns its input: buffers are opaque here. */
  private async copy(to: 'device' | 'host', value: ort.Tensor): Promise<ort.Tensor> {
    const type = value.type as DType;
    const rank = value.dims.length;
    const key = `${to}:${type}:${rank}`;
    let session = this.copies.get(key);
    if (!session) {
      session = await ort.InferenceSession.create(copyModel(type, rank), {
        executionProviders: ['webgpu'],
        ...(to === 'device' ? { preferredOutputLocation: 'gpu-buffer' as const } : {}),
        logSeverityLevel: 4,
        graphOptimizationLevel: 'disabled',
      });
      this.copies.set(key, session);
    }
    return (await session.run({ [COPY_INPUT]: value }))[COPY_OUTPUT];
  }
}
