/** The process of one run of `omnilab reproduce --jobs`; see pipeline/job.ts. */
import '../experiments';
import { serveJob } from '../pipeline/job-worker';
import { interruptible } from './interrupt';

// Ctrl-C reaches all processes of a terminal, so each stops by itself; a second one ends it at once.
void interruptible(serveJob, () => undefined);
