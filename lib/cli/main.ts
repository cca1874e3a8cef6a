#!/usr/bin/env node
/** The command `omnilab`. */
import { main } from './program';

void main(process.argv.slice(2)).then((status) => {
  process.exitCode = status;
});
