/** A device whose sessions run in a worker thread: the caller's side. */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { CancelledError, DeviceError } from '../errors';
import type { TypedArray } from '../graph/dtype';
import { sizeOf } from '../graph/shape';
import type { Program } from '../graph/program';
import { Storage } from '../graph/storage';
import type { Resident } from '../graph/storage';
import { writeOnnx } from '../graph/onnx/writer';
import type { OnnxModel } from '../graph/onnx/writer';
import { checkCancelled } from './cancel';
import { registerDevice } from './device';
import type { Device, Executable } from './device';
import type { Operand, Reply, Request, SessionOptions } from './protocol';

/** Results of at most this many elements (losses, metrics) are sent along with the reply. */
const COPY_ELEMENTS = 64;
/** Host values of at least this many elements stay on the device after their first use. */
const KEEP_ELEMENTS = 4096;
/** Sessions a device keeps; the least recently used is dropped first. */
const MAX_SESSIONS = 48;

/** Threads of the CPU device: OMNILAB_THREADS, or one for each core. */
export function cpuThreads(): number {
  const wanted = Number(process.env.OMNILAB_THREADS ?? '');
  return Number.isInteger(wanted) && wanted > 0 ? wanted : availableParallelism();
}

/** Device memory whose tensor was garbage-collected is given back. */
const collected = new FinalizationRegistry<BufferHandle>((handle) => handle.release());

class BufferHandle implements Resident {
  private released = false;
  constructor(
    private readonly device: OrtDevice,
    readonly id: number,
  ) {}
  async read(): Promise<TypedArray> {
    return (await this.device.request({ kind: 'read', buffer: this.id }))![0]!;
  }
  release(): void {
    if (this.released) return;
    this.released = true;
    this.device.post({ kind: 'release', buffers: [this.id] });
  }
  /** The worker has taken over: nothing to give back any more. */
  forget(): void {
    this.released = true;
  }
}

class OrtDevice implements Device {
  private worker: Worker | null = null;
  private waiting = new Map<
    number,
    { resolve: (v: Extract<Reply, { ok: true }>['values']) => void; reject: (e: Error) => void }
  >();
  private nextRequest = 1;
  private nextBuffer = 1;
  private loaded = new Map<string, true>();
  private tail: Promise<unknown> = Promise.resolve();
  private failed: Error | null = null;
  readonly options: SessionOptions;

  constructor(readonly name: string) {
    const [provider, id] = name.split(':');
    this.options = {
      provider: provider as SessionOptions['provider'],
      deviceId: Number(id ?? 0),
      threads: cpuThreads(),
    };
  }

  compile(program: Program, name: string): Executable {
    const model = writeOnnx(program, { target: this.options.provider });
    return {
      hash: model.hash,
      nodeCount: model.nodeCount,
      run: (inputs, donate = new Set()) => this.queue(name, () => this.run(program, model, inputs, donate)),
    };
  }

  /** Calls go to the worker one at a time, so that one that is cancelled before its turn never runs. */
  private queue<T>(name: string, work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(() => {
      checkCancelled(name);
      return work();
    });
    this.tail = result.catch(() => undefined);
    return result;
  }

  private async run(
    program: Program,
    model: OnnxModel,
    inputs: readonly Storage[],
    donate: ReadonlySet<number>,
  ): Promise<Storage[]> {
    await this.ensureLoaded(model);
    const kept: { storage: Storage; handle: BufferHandle }[] = [];
    const operands: { name: string; operand: Operand }[] = [];
    for (const [i, storage] of inputs.entries()) {
      storage.check('run');
      const resident = storage.residents.get(this.name);
      let operand: Operand;
      if (resident) operand = { buffer: (resident as BufferHandle).id };
      else {
        const data = await storage.read('run');
        const value = { dtype: storage.dtype, shape: storage.shape, data };
        if (data.length >= KEEP_ELEMENTS) {
          const handle = new BufferHandle(this, this.nextBuffer++);
          kept.push({ storage, handle });
          // A second use in the same call finds it there.
          storage.residents.set(this.name, handle);
          operand = { value, keep: handle.id };
        } else operand = { value };
      }
      operands.push({ name: model.inputNames[i], operand });
    }
    const given = new Map<number, Storage>();
    for (const i of donate) {
      const resident = inputs[i].residents.get(this.name) as BufferHandle | undefined;
      if (resident) given.set(resident.id, inputs[i]);
    }
    const handles = program.outputs.map(() => new BufferHandle(this, this.nextBuffer++));
    const copies = program.outputs.map((t) => sizeOf(t.shape) <= COPY_ELEMENTS);
    let values: Extract<Reply, { ok: true }>['values'];
    try {
      values = await this.request({
        kind: 'run',
        session: model.hash,
        inputs: operands,
        outputs: program.outputs.map((t, i) => ({
          name: model.outputNames[i],
          buffer: handles[i].id,
          copy: copies[i],
          dtype: t.dtype,
          shape: t.shape,
        })),
        donate: [...given.keys()],
      });
    } catch (error) {
      for (const { storage } of kept) storage.residents.delete(this.name);
      throw error;
    }
    for (const { storage, handle } of kept) collected.register(storage, handle);
    for (const i of donate) {
      for (const [device, resident] of inputs[i].residents) {
        if (device === this.name) (resident as BufferHandle).forget();
        else resident.release();
      }
    }
    return program.outputs.map((t, i) => {
      const storage = new Storage(t.dtype, t.shape, values![i]);
      storage.residents.set(this.name, handles[i]);
      collected.register(storage, handles[i]);
      return storage;
    });
  }

  private async ensureLoaded(model: OnnxModel): Promise<void> {
    if (this.loaded.has(model.hash)) {
      this.loaded.delete(model.hash);
      this.loaded.set(model.hash, true);
      return;
    }
    const loading = this.request({ kind: 'load', session: model.hash, model: model.bytes, options: this.options });
    try {
      await loading;
    } catch (error) {
      if (error instanceof DeviceError && /webgpu|adapter|cuda|provider/i.test(error.message))
        throw new DeviceError(`device ${this.name}`, error.what, this.advice(), { cause: error });
      throw error;
    }
    this.loaded.set(model.hash, true);
    if (this.loaded.size > MAX_SESSIONS) {
      const oldest = this.loaded.keys().next().value!;
      this.loaded.delete(oldest);
      this.post({ kind: 'unload', session: oldest });
    }
  }

  private advice(): string {
    if (this.options.provider === 'webgpu')
      return 'WebGPU needs a Vulkan, Metal or D3D12 driver; run `omnilab doctor`, or use device cpu';
    if (this.options.provider === 'cuda')
      return 'CUDA needs the files that `ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node` downloads; or use device cpu';
    return 'this is likely a fault of the graph writer: please report it with the message above';
  }

  private start(): Worker {
    if (this.failed) throw this.failed;
    if (this.worker) return this.worker;
    const worker = new Worker(path.join(__dirname, 'worker.js'));
    worker.on('message', (reply: Reply) => {
      const entry = this.waiting.get(reply.id);
      this.waiting.delete(reply.id);
      if (!this.waiting.size) worker.unref();
      if (!entry) return;
      if (reply.ok) entry.resolve(reply.values);
      else entry.reject(new DeviceError(`device ${this.name}`, reply.error, this.advice()));
    });
    const end = (error: Error): void => {
      this.failed = error;
      for (const entry of this.waiting.values()) entry.reject(error);
      this.waiting.clear();
    };
    worker.on('error', (e) =>
      end(
        new DeviceError(
          `device ${this.name}`,
          `its worker stopped: ${e.message}`,
          'check the memory of the machine, and start again',
          { cause: e },
        ),
      ),
    );
    worker.on('exit', (code) => {
      if (this.worker === worker)
        end(new DeviceError(`device ${this.name}`, `its worker ended with code ${code}`, 'start again'));
    });
    worker.unref();
    this.worker = worker;
    return worker;
  }

  request(request: Request): Promise<Extract<Reply, { ok: true }>['values']> {
    return new Promise((resolve, reject) => {
      const worker = this.start();
      const id = this.nextRequest++;
      this.waiting.set(id, { resolve, reject });
      worker.ref();
      worker.postMessage({ id, request });
    });
  }

  /** Sends without waiting for the reply. */
  post(request: Request): void {
    if (!this.worker) return;
    this.worker.postMessage({ id: 0, request });
  }

  async close(): Promise<void> {
    const worker = this.worker;
    this.worker = null;
    this.loaded.clear();
    for (const entry of this.waiting.values())
      entry.reject(new CancelledError(`device ${this.name}`, 'the device was closed', 'open it again with getDevice'));
    this.waiting.clear();
    await worker?.terminate();
  }
}

registerDevice(/^(cpu|webgpu|cuda:\d+)$/, (name) => new OrtDevice(name));
