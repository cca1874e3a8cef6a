/** `omnilab kernel install` and `omnilab notebook` */
import { installKernelspec, openNotebook } from '../../kernels';
import type { Terminal } from './terminal';
import { STATUS } from './status';

/** `omnilab kernel install`. Returns the exit status. */
export function installKernel(options: { json?: boolean }, terminal: Terminal): number {
  const folder = installKernelspec();
  terminal.out(
    options.json ? JSON.stringify({ folder }) + '\n' : `the kernel "OmniLab (TypeScript)" is in ${folder}\n`,
  );
  return STATUS.ok;
}

/** Resolves to JupyterLab's exit status when it is closed. */
export const openNotebooks = (path?: string): Promise<number> => openNotebook({ path });
