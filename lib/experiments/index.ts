/**
 * All experiments, and the notebooks that show them. Importing this registers the experiments (each module of this folder is
 * imported here for that), so that they can be run by name.
 */
import type { NotebookEntry } from '../pipeline/notebooks';

/** What `make reproduce` runs, in order. */
export const notebooks: readonly NotebookEntry[] = [];
