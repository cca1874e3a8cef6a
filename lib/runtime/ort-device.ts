/** A device whose sessions run in a worker thread: the caller's side. */
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { CancelledError, DeviceError, DisposedError } from '../errors';
import { BYTES_PER_ELEMENT } from '../graph/dtype';
import type { DType, TypedArray } from '../graph/dtype';
import { sizeOf } from '../graph/shape';
import type { Program } from '../graph/program';
import { Storage } from '../graph/storage';
import type { Resident } from '../graph/storage';
import { writeOnnx } from '../graph/onnx/writer';
import type { OnnxModel } from '../graph/onnx/writer';
import { checkCancelled } from './cancel';
import { MemoryCount } from './collect';
import { registerDevice } from './device';
import type { Device, Executable } from './device';
import { dropGate, newGate } from './gate';
import type { Reply, Request, SessionOptions } from './protocol';

/** Results of at most this many elements (losses, metrics) are sent along with the reply. */
const COPY_ELEMENTS = 64;
const isSmall = (t: { shape: readonly number[] }): boolean => sizeOf(t.shape) <= COPY_ELEMENTS;
/** Host values of at least this many elements stay on the device after their first use. */
const KEEP_ELEMENTS = 4096;
/**
 * An arena is a session's own memory: it grows to the session's largest run and is not given back, so a training step's arenas add up, one
 * for each shape (eight shapes of a small language model: 6.2 GB, 2.1 GB without). Without arenas the system's allocator has to keep
 * what is freed, or steps are a half slower; where it was told to (`processMemory`, pipeline/job.ts), OMNILAB_ARENA is 0, and only
 * programs have one whose results, all of them together, are smaller than this.
 */
const ARENA_BYTES = 2 ** 28;
/**
 * Programs of at least so many nodes are changed less by the runtime on the CPU: fusing takes it longer (1.2 s instead of 0.8 s for a training
 * step of stage 3), and they run as fast without. Smaller ones gain by it.
 */
const LARGE_PROGRAM = 3000;
/** Sessions a device keeps; the least recently used is dropped first. */
const MAX_SESSIONS = 48;

/** Threads of the CPU device: OMNILAB_THREADS, or one for each core. */
export function cpuThreads(): number {
  const wanted = Number(process.env.OMNILAB_THREADS ?? '');
  return Number.isInteger(wanted) && wanted > 0 ? wanted : availableParallelism();
}

/** Bytes of what all nodes of a program give. */
const bytesOf = ({ nodes }: Program): number =>
  nodes.reduce(
    (sum, { types }) => sum + types.reduce((n, t) => n + sizeOf(t.shape) * BYTES_PER_ELEMENT[t.dtype], 0),
    0,
  );

/** A buffer of the worker, apart from its handle so that the handle can be garbage-collected. */
interface Held {
  readonly device: OrtDevice;
  readonly id: number;
  /** Which of the device's workers holds it. */
  readonly generation: number;
  readonly bytes: number;
  released: boolean;
}

/** Marks a buffer as given back; false if it had been already. */
function strike(held: Held): boolean {
  if (held.released) return false;
  held.released = true;
  if (held.generation === held.device.generation) held.device.memory.subtract(held.bytes);
  return true;
}

function releaseHeld(held: Held): void {
  if (strike(held)) held.device.postTo(held.generation, { kind: 'release', buffers: [held.id] });
}

/** What to do about an error of the runtime: what cannot be had on this machine is told from what failed. */
function adviceFor(provider: SessionOptions['provider'], message: string): string {
  if (/requires f16/.test(message))
    return 'this WebGPU adapter has no float16 arithmetic: use float32 on it, or device cpu';
  if (provider === 'webgpu' && /adapter|webgpu_context|no WebGPU device/i.test(message))
    return 'WebGPU needs a Vulkan, Metal or D3D12 driver; run `omnilab doctor`, or use device cpu';
  if (provider === 'cuda' && /shared library|Failed to load|CUDA failure|cudaGetDeviceCount|provider/i.test(message))
    return 'CUDA needs an NVIDIA driver, CUDA 12 with cuDNN 9, and the files that `ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false` downloads; run `omnilab doctor`, or use device cpu';
  if (/allocat|out of memory|Invalid typed array length/i.test(message))
    return 'use a smaller batch, recompute with checkpoint(), or free tensors with .dispose()';
  if (/out of data bounds|out of bounds|invalid ind/i.test(message))
    return 'an index is larger than its axis: look for token ids beyond the vocabulary, labels such as -100, or positions beyond the table';
  if (/(division|modulo) by zero/i.test(message))
    return 'integers cannot be divided by zero: cast to float32 first, or use .maximum(1)';
  return 'this is likely a fault of the graph writer: please report it with the message above';
}

/** Device memory to which no storage refers any more is given back. */
const collected = new FinalizationRegistry<Held>(releaseHeld);

class BufferHandle implements Resident {
  private readonly held: Held;
  constructor(device: OrtDevice, id: number, generation: number, bytes: number) {
    this.held = { device, id, generation, bytes, released: false };
    device.memory.add(bytes);
    collected.register(this, this.held);
  }
  get id(): number {
    return this.held.id;
  }
  /** Whether the worker that runs now is the one that holds the buffer. */
  get alive(): boolean {
    return !this.held.released && this.held.generation === this.held.device.generation;
  }
  belongsTo(device: OrtDevice): boolean {
    return this.held.device === device;
  }
  async read(): Promise<TypedArray> {
    const { device, id } = this.held;
    if (!this.alive)
      throw new DisposedError(
        `device ${device.name}`,
        'expected values on the device, but the worker that held them has ended',
        'read what you need with .data() before the device is closed, and go on from a checkpoint after a crash',
      );
    return (await device.request({ kind: 'read', buffer: id }))![0];
  }
  release(): void {
    releaseHeld(this.held);
  }
  /** The worker has taken over: nothing to give back any more. */
  forget(): void {
    strike(this.held);
  }
}

/** Number of the request that a worker gets before it is ended. */
const LAST_REQUEST = -1;

let nextGeneration = 1;

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
  /**
   * Counts the workers: what an earlier one held is lost. Unique in the process, so that devices are never confused.
   */
  generation = nextGeneration++;
  /** What the buffers of this device take. */
  readonly memory = new MemoryCount();
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
      release: () => this.unload(model.hash),
    };
  }

  /** Drops a session, with the memory that it keeps for its results, once the calls before are done. */
  private unload(hash: string): void {
    this.tail = this.tail.then(() => {
      if (this.loaded.delete(hash)) this.post({ kind: 'unload', session: hash });
    });
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
    await this.ensureLoaded(program, model);
    await this.memory.relieve();
    const kept: { storage: Storage; handle: BufferHandle }[] = [];
    const operands = new Float64Array(inputs.length).fill(-1);
    const sent: Extract<Request, { kind: 'run' }>['values'] = [];
    for (const [i, storage] of inputs.entries()) {
      storage.check('run');
      const resident = this.residentOf(storage);
      if (resident) {
        operands[i] = resident.id;
        continue;
      }
      const data = await storage.read('run');
      const value = { dtype: storage.dtype, shape: storage.shape, data };
      if (data.length < KEEP_ELEMENTS) {
        sent.push({ value });
        continue;
      }
      const handle = this.newHandle(storage);
      kept.push({ storage, handle });
      // A second use in the same call finds it there.
      storage.residents.set(this.name, handle);
      sent.push({ value, keep: handle.id });
    }
    const given = new Set<number>();
    for (const i of donate) {
      const resident = this.residentOf(inputs[i]);
      if (resident) given.add(resident.id);
    }
    // Their numbers follow one another: nothing else is numbered meanwhile.
    const handles = program.outputs.map((t) => this.newHandle(t));
    let values: Extract<Reply, { ok: true }>['values'];
    try {
      values = await this.request({
        kind: 'run',
        session: model.hash,
        inputs: operands,
        values: sent,
        firstOutput: handles[0].id,
        donate: Float64Array.from(given),
      });
    } catch (error) {
      // The worker may hold the operands that were sent, but whether it does is not known.
      for (const { storage, handle } of kept) {
        storage.residents.delete(this.name);
        handle.release();
      }
      for (const handle of handles) handle.forget();
      throw error;
    }
    for (const i of donate) {
      for (const [device, resident] of inputs[i].residents) {
        if (device === this.name) (resident as BufferHandle).forget();
        else resident.release();
      }
    }
    let next = 0;
    return program.outputs.map((t, i) => {
      const storage = new Storage(t.dtype, t.shape, isSmall(t) ? values![next++] : null);
      storage.residents.set(this.name, handles[i]);
      return storage;
    });
  }

  private newHandle({ dtype, shape }: { dtype: DType; shape: readonly number[] }): BufferHandle {
    const bytes = sizeOf(shape) * BYTES_PER_ELEMENT[dtype];
    return new BufferHandle(this, this.nextBuffer++, this.generation, bytes);
  }

  /** The storage's buffer in this device's worker, if it has one there. */
  private residentOf(storage: Storage): BufferHandle | null {
    const resident = storage.residents.get(this.name);
    return resident instanceof BufferHandle && resident.alive && resident.belongsTo(this) ? resident : null;
  }

  private async ensureLoaded(program: Program, model: OnnxModel): Promise<void> {
    if (this.loaded.has(model.hash)) {
      this.loaded.delete(model.hash);
      this.loaded.set(model.hash, true);
      return;
    }
    const deviceOutputs = model.outputNames.filter((_, i) => !isSmall(program.outputs[i]));
    await this.request({
      kind: 'load',
      session: model.hash,
      model: model.bytes,
      options: this.options,
      inputs: model.inputNames,
      outputs: program.outputs.map(({ dtype, shape }, i) => ({
        name: model.outputNames[i],
        dtype,
        shape,
        copy: isSmall({ shape }),
      })),
      deviceOutputs,
      optimize: this.options.provider === 'cpu' && model.nodeCount >= LARGE_PROGRAM ? 'basic' : 'all',
      arena: this.options.provider !== 'cpu' || process.env.OMNILAB_ARENA !== '0' || bytesOf(program) < ARENA_BYTES,
    });
    this.loaded.set(model.hash, true);
    if (this.loaded.size > MAX_SESSIONS) {
      const oldest = this.loaded.keys().next().value!;
      this.loaded.delete(oldest);
      this.post({ kind: 'unload', session: oldest });
    }
  }

  private start(): Worker {
    if (this.worker) return this.worker;
    const gate = newGate();
    const worker = new Worker(path.join(__dirname, 'worker.js'), { workerData: gate });
    for (const event of ['error', 'exit']) worker.once(event, () => dropGate(gate));
    worker.on('message', (reply: Reply) => {
      const entry = this.waiting.get(reply.id);
      this.waiting.delete(reply.id);
      if (!this.waiting.size) worker.unref();
      if (!entry) return;
      if (reply.ok) entry.resolve(reply.values);
      else
        entry.reject(
          new DeviceError(`device ${this.name}`, reply.error, adviceFor(this.options.provider, reply.error)),
        );
    });
    // The next request starts a new worker; what this one held is lost.
    const end = (error: Error): void => {
      if (this.worker !== worker) return;
      this.worker = null;
      this.forgetWorker();
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
  private post(request: Request): void {
    this.worker?.postMessage({ id: 0, request });
  }

  /** Sends only if the worker of that generation still runs. */
  postTo(generation: number, request: Request): void {
    if (generation === this.generation) this.post(request);
  }

  private forgetWorker(): void {
    this.loaded.clear();
    this.generation = nextGeneration++;
    this.memory.reset();
  }

  async close(): Promise<void> {
    const worker = this.worker;
    this.worker = null;
    this.forgetWorker();
    for (const entry of this.waiting.values())
      entry.reject(new CancelledError(`device ${this.name}`, 'the device was closed', 'open it again with getDevice'));
    this.waiting.clear();
    if (!worker) return;
    // A thread that is ended inside the runtime takes the whole process along, so the worker first finishes what it
    // has.
    const finished = new Promise<void>((resolve) => {
      worker.on('message', ({ id }: Reply) => {
        if (id === LAST_REQUEST) resolve();
      });
      worker.once('error', () => resolve());
      worker.once('exit', () => resolve());
    });
    worker.ref();
    worker.postMessage({ id: LAST_REQUEST, request: { kind: 'release', buffers: [] } satisfies Request });
    await finished;
    await worker.terminate();
  }
}

registerDevice(/^(cpu|webgpu|cuda:\d+)$/, (name) => new OrtDevice(name));
