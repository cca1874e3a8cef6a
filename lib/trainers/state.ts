/** Trees of concrete tensors to host values and back, for checkpoints and artefacts. */
export { copyTree, fromHost, toHost } from '../io/params';
