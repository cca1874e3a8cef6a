#!/usr/bin/env node
/** The command `omnilab`. */
import { main } from './program';
import { STATUS } from './status';

// Whoever read the output is gone (omnilab ... | head): there is nobody left to tell, and no fault to trace.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(STATUS.failure);
});

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
