/** Running programs: devices, compiled functions, cancellation. */
export { cancellable } from './cancel';
export { closeDevices, defaultDevice, getDevice, setDefaultDevice } from './device';
export type { Device, Executable } from './device';
export { checkFinite } from './finite';
export { jit } from './jit';
export type { Compiled, Feed, Feeds, JitOptions } from './jit';
export { cpuThreads } from './ort-device';
export { probeDevice, probeDevices } from './probe';
export type { DeviceReport } from './probe';
