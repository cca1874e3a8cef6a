/**
 * The Jupyter messaging protocol on the wire (version 5.3): a message is a list of frames, signed with HMAC-SHA256.
 *   [identities..., "<IDS|MSG>", signature, header, parent header, metadata, content, buffers...]
 * The kernel and the headless client share this file.
 */
import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { FormatError } from '../lib/errors';

/** Version of the protocol that is spoken. */
export const PROTOCOL_VERSION = '5.3';
const DELIMITER = '<IDS|MSG>';

/** The contents of a connection file. */
export interface ConnectionInfo {
  transport: 'ipc' | 'tcp';
  ip: string;
  shell_port: number;
  iopub_port: number;
  stdin_port: number;
  control_port: number;
  hb_port: number;
  key: string;
  signature_scheme: 'hmac-sha256';
  kernel_name?: string;
}

/** The header of a message. */
export interface Header {
  msg_id: string;
  session: string;
  username: string;
  date: string;
  msg_type: string;
  version: string;
}

/** A received message. */
export interface Message {
  identities: Buffer[];
  header: Header;
  parent: Partial<Header>;
  metadata: Record<string, unknown>;
  content: Record<string, unknown>;
}

/** A new header. */
export function newHeader(type: string, session: string, username: string): Header {
  return {
    msg_id: randomUUID(),
    session,
    username,
    date: new Date().toISOString(),
    msg_type: type,
    version: PROTOCOL_VERSION,
  };
}

function sign(key: string, frames: readonly (Buffer | string)[]): string {
  // The protocol: an empty key means that messages are not signed.
  if (key === '') return '';
  const hmac = createHmac('sha256', key);
  for (const frame of frames) hmac.update(frame);
  return hmac.digest('hex');
}

/** The frames of a message, signed with `key`. */
export function encode(key: string, message: Message): (Buffer | string)[] {
  const body = [message.header, message.parent, message.metadata, message.content].map((part) => JSON.stringify(part));
  return [...message.identities, DELIMITER, sign(key, body), ...body];
}

/** The message in `frames`. Throws FormatError when it is not one, or when it was not signed with `key`. */
export function decode(key: string, frames: readonly Buffer[]): Message {
  const at = frames.findIndex((frame) => frame.toString('latin1') === DELIMITER);
  if (at < 0 || frames.length < at + 6) {
    throw new FormatError(
      'Jupyter message',
      `expected ${DELIMITER}, a signature and four parts, got ${frames.length} frames`,
      'check that the program at the other end speaks the Jupyter messaging protocol 5',
    );
  }
  const expected = Buffer.from(sign(key, frames.slice(at + 2)));
  const got = frames[at + 1];
  if (expected.length !== got.length || !timingSafeEqual(expected, got)) {
    throw new FormatError(
      'Jupyter message',
      'expected a signature made with the key of the connection file, got another one',
      'use the key of the connection file that this kernel was started with',
    );
  }
  const [header, parent, metadata, content] = frames.slice(at + 2, at + 6).map(parse);
  return {
    identities: frames.slice(0, at),
    header: header as unknown as Header,
    parent: parent,
    metadata,
    content,
  };
}

function parse(frame: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(frame.toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new FormatError(
    'Jupyter message',
    `expected a JSON object, got ${frame.toString().slice(0, 80)}`,
    'check that the program at the other end speaks the Jupyter messaging protocol 5',
  );
}

/** The address of one of the five sockets. */
export function address(info: ConnectionInfo, port: number): string {
  return info.transport === 'ipc' ? `ipc://${info.ip}-${port}` : `tcp://${info.ip}:${port}`;
}
