/**
 * A worker thread that ends the kernel when the program that started it has died, also while a cell keeps the main
 * thread busy. `workerData.parent` is the process id of that program, `workerData.folder` a temporary folder to remove.
 */
import { rmSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const { parent, folder } = workerData as { parent: number; folder: string | null };

setInterval(() => {
  // An orphan is given another parent.
  if (process.ppid === parent) return;
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
  try {
    // As leader of its group the kernel takes with it what cells have started.
    process.kill(-process.pid, 'SIGKILL');
  } catch {
    process.kill(process.pid, 'SIGKILL');
  }
}, 500);
