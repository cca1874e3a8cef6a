/**
 * Devices: where programs run. `cpu` (default), `webgpu`, `cuda:N` run ONNX in a worker thread each; `tfjs` interprets
 * the program op by op, as an independent second engine.
 */
import { DeviceError } from '../errors';
import type { Program } from '../graph/program';
import type { Storage } from '../graph/storage';

/** A compiled program. */
export interface Executable {
  /**
   * Runs once. `inputs` are in the program's order; those whose index is in `donate` are taken over: their memory is
   * used again and their storages are invalidated.
   */
  run(inputs: readonly Storage[], donate?: ReadonlySet<number>): Promise<Storage[]>;
  /** SHA-256 of the compiled form. */
  readonly hash: string;
  /** The number of operators in it. */
  readonly nodeCount: number;
  /** Gives the compiled form's memory back; another run compiles it again. */
  release(): void;
}

export interface Device {
  readonly name: string;
  compile(program: Program, name: string): Executable;
  /** Ends the device's worker. Its tensors are lost. */
  close(): Promise<void>;
}

type Factory = (name: string) => Device;
const factories: { pattern: RegExp; make: Factory }[] = [];
const open = new Map<string, Device>();
let current = 'cpu';

/** Used by the engines to make themselves known. */
export function registerDevice(pattern: RegExp, make: Factory): void {
  factories.push({ pattern, make });
}

/** The device of a name: cpu, webgpu, cuda:0, cuda:1, ..., tfjs. Throws DeviceError for any other. */
export function getDevice(name: string = current): Device {
  const known = open.get(name);
  if (known) return known;
  const factory = factories.find((f) => f.pattern.test(name));
  if (!factory)
    throw new DeviceError(
      'getDevice',
      `expected cpu, webgpu, cuda:N or tfjs, got "${name}"`,
      "run `omnilab doctor` to see this machine's devices",
    );
  const device = factory.make(name);
  open.set(name, device);
  return device;
}

/** Whether the name is one of a device that an engine here serves; whether this machine has it is another question. */
export const isDeviceName = (name: string): boolean => factories.some((f) => f.pattern.test(name));

/** Sets the device that is used where none is named. */
export function setDefaultDevice(name: string): void {
  getDevice(name);
  current = name;
}

/** The device that is used where none is named. */
export const defaultDevice = (): string => current;

/** Ends all workers, so that nothing of the runtime is left. */
export async function closeDevices(): Promise<void> {
  const all = [...open.values()];
  open.clear();
  await Promise.all(all.map((d) => d.close()));
}
