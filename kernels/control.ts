/**
 * The kernel's control channel, in a worker thread, so that a kernel whose main thread is kept busy by a cell can still
 * be interrupted and shut down. It also ends the kernel when the program that started it has died.
 *
 * Messages are handed to the main thread, which answers them; that alone interrupts a cell that waits. When it does not
 * answer, it is busy: this thread sets the number that the cell's loops look at (loops.ts), and if that does not help
 * raises SIGINT, which ends whatever a cell does before its first await.
 */
import { rmSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { loadZeroMQ } from './packages';
import { address, type ConnectionInfo, decode } from './wire';

/** What the main thread gives this one. */
export interface ControlData {
  connection: ConnectionInfo;
  project: string;
  /** Process id of the program that started the kernel. */
  parent: number;
  /** A temporary folder to remove when that program has died. */
  folder: string | null;
  /** Shared: set to 1 to interrupt the running cell. */
  interrupted: Int32Array;
}

// How long the main thread may take to answer before more is done.
const FLAG_MS = 100;
const SIGNAL_MS = 600;
const SHUTDOWN_MS = 1000;

function killAll(): void {
  try {
    // As leader of its group the kernel takes with it what cells have started.
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL');
  }
}

function watchParent({ parent, folder }: ControlData): void {
  setInterval(() => {
    // An orphan is given another parent.
    if (process.ppid === parent) return;
    if (folder !== null) rmSync(folder, { recursive: true, force: true });
    killAll();
  }, 500);
}

async function serve(data: ControlData): Promise<void> {
  const zmq = loadZeroMQ(data.project);
  const socket = new zmq.Router({ sendHighWaterMark: 0, sendTimeout: 0, linger: 1000 });
  await socket.bind(address(data.connection, data.connection.control_port));
  let answered = 0;
  parentPort?.on('message', (frames: Uint8Array[] | 'close') => {
    if (frames === 'close') {
      socket.close();
      return;
    }
    answered++;
    socket.send(frames).catch(() => undefined);
  });
  for await (const frames of socket) {
    let type: string;
    try {
      type = decode(data.connection.key, frames).header.msg_type;
    } catch {
      // Not signed with the key: not for us.
      continue;
    }
    parentPort?.postMessage(frames);
    const before = answered;
    const unanswered = (afterMs: number, act: () => void): void => {
      setTimeout(() => {
        if (answered === before) act();
      }, afterMs);
    };
    if (type === 'interrupt_request') {
      unanswered(FLAG_MS, () => Atomics.store(data.interrupted, 0, 1));
      // On Windows a process cannot send itself a SIGINT that it handles.
      if (process.platform !== 'win32') unanswered(SIGNAL_MS, () => process.kill(process.pid, 'SIGINT'));
    } else if (type === 'shutdown_request') {
      unanswered(SHUTDOWN_MS, killAll);
    }
  }
}

const data = workerData as ControlData;
watchParent(data);
void serve(data);
