/** What `omnilab doctor` looks at, one entry each. */
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { installedVersion } from '../pipeline/environment';
import { packageRoot, projectRoot, runsDir } from '../pipeline/paths';

export interface Finding {
  name: string;
  /** ok; missing: something optional is not there; problem: something needed is not there. */
  status: 'ok' | 'missing' | 'problem';
  found: string;
  /** What to do about it. */
  advice?: string;
}

export interface Check {
  name: string;
  /** Whether the package is of no use without it. */
  needed: boolean;
  /** Returns what was found; throws, or returns `bad`, if it will not do. */
  look: () => Promise<Found> | Found;
  advice: string;
}
type Found = string | { bad: string; advice?: string };

/** Does one check. */
export async function examine({ name, needed, look, advice }: Check): Promise<Finding> {
  let found: Found;
  try {
    found = await look();
  } catch (error) {
    found = { bad: (error as Error).message.split('\n')[0] };
  }
  if (typeof found === 'string') return { name, status: 'ok', found };
  return { name, status: needed ? 'problem' : 'missing', found: found.bad, advice: found.advice ?? advice };
}

const execute = promisify(execFile);
const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/** True if version `a` is at least `b` ("20.19"). */
export function atLeast(a: string, b: string): boolean {
  const [left, right] = [a, b].map((v) => v.split('.').map((n) => parseInt(n, 10)));
  for (let i = 0; i < right.length; i++) if ((left[i] ?? 0) !== right[i]) return (left[i] ?? 0) > right[i];
  return true;
}

/** In a clone the notebooks are the point; for someone who installed the package they are an extra. */
const clone = (): boolean => packageRoot() === projectRoot();
const reinstall = (): string => (clone() ? 'npm ci' : 'npm install');

const optionalPackage = (name: string, loads: boolean, use: string): Check => ({
  name,
  needed: clone(),
  look: () => {
    const version = installedVersion(name);
    if (!version) return { bad: 'not installed' };
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- by a name that is computed, and only now
    if (loads) require(name);
    return version;
  },
  advice: `${use}: run ${clone() ? 'npm ci' : `npm install ${name}`}`,
});

/** Runs a program that prints a version; null if it is not there. */
async function versionOf(program: string, ...args: string[]): Promise<string | null> {
  try {
    return (await execute(program, args, { timeout: 60_000 })).stdout.trim().split('\n')[0] || null;
  } catch {
    return null;
  }
}

/** Tries a device in a process of its own: a driver that crashes must not take this one along. */
async function tryDevice(device: string): Promise<Found> {
  const { probeDevice } = await import('../runtime/probe.js');
  const report = await probeDevice(device);
  if (!report.works) return { bad: report.reason ?? 'it does not work' };
  return `works (${report.startMs} ms to start${report.float16 ? '' : '; no float16'})`;
}

const pyTorch: Check = {
  name: 'PyTorch',
  needed: false,
  look: async () => {
    const version = await versionOf('python3', '-c', 'import torch; print(torch.__version__)');
    return version ?? { bad: 'not found' };
  },
  advice: 'only to compare speeds in `npm run bench`: python3 -m pip install torch',
};

/** What `omnilab doctor` looks at, in this order. */
export const checks: readonly Check[] = [
  {
    name: 'Node',
    needed: true,
    look: () => (atLeast(process.versions.node, '20.19') ? process.versions.node : { bad: process.versions.node }),
    advice: 'install Node 20.19 or later: https://nodejs.org',
  },
  {
    name: 'onnxruntime-node',
    needed: true,
    look: async () => {
      const { Engine } = await import('../runtime/ort.js');
      const bundled = Engine.providers().filter((p) => p.bundled);
      return `${installedVersion('onnxruntime-node')}, with ${bundled.map((p) => p.name).join(', ')}`;
    },
    advice: `run ${reinstall()} again; on a system other than Linux, macOS and Windows on x64 or arm64 there is no build of it`,
  },
  { name: 'device cpu', needed: true, look: () => tryDevice('cpu'), advice: `run ${reinstall()} again` },
  {
    name: 'device webgpu',
    needed: false,
    look: () => tryDevice('webgpu'),
    advice: 'needs a GPU with a Vulkan, Metal or Direct3D 12 driver (Debian: libvulkan1 and the driver of the card)',
  },
  {
    name: 'device cuda:0',
    needed: false,
    look: async () => {
      const card = await versionOf('nvidia-smi', '--query-gpu=name,driver_version', '--format=csv,noheader');
      if (!card) return { bad: 'no NVIDIA driver (nvidia-smi was not found)' };
      const found = await tryDevice('cuda:0');
      if (typeof found === 'string') return `${card}; ${found}`;
      return { bad: `${card}; ${found.bad}` };
    },
    advice:
      'on Linux x64 with CUDA 12 and cuDNN 9: ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node --ignore-scripts=false',
  },
  {
    name: 'device tfjs',
    needed: false,
    look: () => tryDevice('tfjs'),
    advice: `the second engine, for checks: run ${clone() ? 'npm ci' : 'npm install @tensorflow/tfjs'}`,
  },
  optionalPackage('tslab', false, 'notebooks run on it'),
  optionalPackage('zeromq', true, 'notebooks are driven through it'),
  {
    name: 'JupyterLab',
    needed: false,
    look: async () => {
      const { findJupyterLab } = await import('../../kernels/jupyter.js');
      const found = findJupyterLab();
      return found ? `${found.version} (${found.command.join(' ')})` : { bad: 'not found' };
    },
    advice: `only to open notebooks by hand: python3 -m pip install jupyterlab; ${clone() ? 'make reproduce' : 'runNotebook of omnilab/kernels'} does without`,
  },
  // The benchmark is not part of the installed package.
  ...(clone() ? [pyTorch] : []),
  {
    name: 'processor',
    needed: false,
    look: () => `${os.availableParallelism()} x ${os.cpus()[0]?.model.trim() ?? 'unknown'}`,
    advice: '',
  },
  {
    name: 'memory',
    needed: true,
    look: () => {
      // A container's limit, where there is one, counts before the machine's memory. No limit is 0 or an enormous
      // number.
      const limit = process.constrainedMemory?.() ?? 0;
      const total = limit > 0 && limit < os.totalmem() ? limit : os.totalmem();
      return total >= 3 * 2 ** 30 ? gigabytes(total) : { bad: gigabytes(total) };
    },
    advice: 'profile smoke needs about 4 GiB, laptop more',
  },
  {
    name: 'disk',
    needed: true,
    look: () => {
      const runs = runsDir();
      let folder = runs;
      while (!fs.existsSync(folder)) folder = path.dirname(folder);
      fs.accessSync(folder, fs.constants.W_OK);
      const { bavail, bsize } = fs.statfsSync(folder);
      const found = `${gigabytes(bavail * bsize)} free for ${runs}`;
      return bavail * bsize >= 2 * 2 ** 30 ? found : { bad: found };
    },
    advice: 'make room, or point OMNILAB_RUNS to a folder that can be written, on a disk with 2 GiB or more',
  },
];
