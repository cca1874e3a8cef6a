/**
 * Notebooks from Node: run them headless on the OmniLab kernel, read and write their files, open JupyterLab, install
 * the kernelspec. Needs the optional packages tslab and zeromq.
 */
export { type ExecuteOptions, type ExecuteReply, KernelClient, type KernelOptions } from './client';
export { type CellPlace, KernelError, NotebookCellError, NotebookTimeoutError } from './errors';
export {
  findJupyterLab,
  installKernelspec,
  jupyterDataDir,
  MissingProgramError,
  openNotebook,
  type OpenNotebookOptions,
  withKernelspec,
} from './jupyter';
export {
  type Cell,
  type CodeCell,
  formatNotebook,
  joined,
  KERNELSPEC,
  type Notebook,
  type Output,
  readNotebook,
  tagsOf,
  validateNotebook,
  writeNotebook,
} from './notebook';
export { injectParameters, type ParameterValue } from './parameters';
export { type CellEvent, type NotebookRun, runNotebook, type RunNotebookOptions } from './run-notebook';
export { packageRoot, projectRoot } from './roots';
