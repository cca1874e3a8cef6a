/** The worker thread of a device: takes requests in order and runs them one at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import type { TypedArray } from '../graph/dtype';
import { leaveGate, throughGate } from './gate';
import type { Gate } from './gate';
import { Engine } from './ort';
import type { Reply, Request } from './protocol';

// Node 24 has a Float16Array, which onnxruntime-common 1.30 then insists on and its native part cannot read ("not
// enough space: expected 8, got 0"). Without it, in this thread only, both take the 16 bits in a Uint16Array.
delete (globalThis as { Float16Array?: unknown }).Float16Array;

const port = parentPort!;
const gate = workerData as Gate;
const engine = new Engine();
let last: Promise<void> = Promise.resolve();

async function handle(request: Request): Promise<TypedArray[] | void> {
  switch (request.kind) {
    case 'load':
      return engine.load(request);
    case 'unload':
      return engine.unload(request.session);
    case 'run':
      return engine.run(request);
    case 'read':
      return [await engine.read(request.buffer)];
    case 'release':
      return engine.release(request.buffers);
  }
}

port.on('message', ({ id, request }: { id: number; request: Request }) => {
  last = last.then(async () => {
    try {
      const values = (await throughGate(gate, () => handle(request))) ?? undefined;
      const transfer = (values ?? []).map((v) => v.buffer as ArrayBuffer);
      port.postMessage({ id, ok: true, values } satisfies Reply, transfer);
    } catch (error) {
      port.postMessage({ id, ok: false, error: (error as Error).message } satisfies Reply);
    }
  });
});

leaveGate(gate);
