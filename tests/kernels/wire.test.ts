/** Messages on the wire: signed, read back, refused where they are forged. */
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { decode, encode, type Message, newHeader } from '../../kernels/wire';

const frames = (parts: (Buffer | string)[]): Buffer[] => parts.map((part) => Buffer.from(part));

describe('kernels/wire', () => {
  const message: Message = {
    identities: [Buffer.from('me')],
    header: newHeader('execute_request', 'session', 'user'),
    parent: {},
    metadata: {},
    content: { code: 'π' },
  };

  it('comes back as it was sent', () => {
    assert.deepEqual(decode('key', frames(encode('key', message))), message);
  });

  it('signs the four parts with HMAC-SHA256', () => {
    const parts = encode('key', message);
    const expected = createHmac('sha256', 'key').update(parts.slice(3).join('')).digest('hex');
    assert.equal(parts[2], expected);
  });

  it('is not signed with an empty key', () => {
    assert.equal(encode('', message)[2], '');
    assert.deepEqual(decode('', frames(encode('', message))).content, message.content);
  });

  it('refuses another key, a changed part and a missing delimiter', () => {
    const sent = frames(encode('key', message));
    assert.throws(() => decode('other', sent), /signature/);
    const changed = [...sent];
    changed[6] = Buffer.from('{"code":"evil"}');
    assert.throws(() => decode('key', changed), /signature/);
    assert.throws(() => decode('key', sent.slice(2)), /<IDS\|MSG>/);
    assert.throws(() => decode('key', []), /0 frames/);
  });

  it('refuses parts that are not JSON objects', () => {
    const parts = ['<IDS|MSG>', '', '[1]', '{}', '{}', '{}'];
    assert.throws(() => decode('', frames(parts)), /JSON object/);
  });
});
