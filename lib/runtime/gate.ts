/**
 * Keeps a process from ending while a worker is inside the runtime: its thread would be ended there, and the whole process aborts with a
 * dump instead of its exit code.
 */

/** The longest wait at the end of the process, in milliseconds. */
const LONGEST = 60_000;
const [INSIDE, CLOSED] = [0, 1];

/** Shared by a worker and its owner. */
export type Gate = Int32Array<SharedArrayBuffer>;

const open = new Set<Gate>();

/** The owner's side: a gate that is closed when the process ends. */
export function newGate(): Gate {
  if (!open.size) process.on('exit', closeAll);
  const gate: Gate = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  // Inside from the start: loading the runtime is no place to be ended either.
  gate[INSIDE] = 1;
  open.add(gate);
  return gate;
}

/** The owner's side: the worker has ended. */
export function dropGate(gate: Gate): void {
  if (open.delete(gate) && !open.size) process.off('exit', closeAll);
}

/** Lets no worker begin anything more, and waits for what has begun. */
function closeAll(): void {
  for (const gate of open) Atomics.store(gate, CLOSED, 1);
  const deadline = performance.now() + LONGEST;
  for (const gate of open) Atomics.wait(gate, INSIDE, 1, Math.max(0, deadline - performance.now()));
}

/** The worker's side: it has started, or is through with its work. */
export function leaveGate(gate: Gate): void {
  Atomics.store(gate, INSIDE, 0);
  Atomics.notify(gate, INSIDE);
}

/** The worker's side: does `work`, unless the process is ending: then it never settles. */
export async function throughGate<T>(gate: Gate, work: () => Promise<T>): Promise<T> {
  // First this, then the look at the owner's word, who does it the other way round: so one of the two sees the other.
  Atomics.store(gate, INSIDE, 1);
  try {
    if (!Atomics.load(gate, CLOSED)) return await work();
  } finally {
    leaveGate(gate);
  }
  return new Promise(() => undefined);
}
