// Values of the options about the engine.

import type { Engine, FakeId, PortPair, SharePart } from '../spec';
import { oneOf, parseDecimal, Refusal } from './text';

export function engine(text: string): Engine {
  return oneOf(text, ['auto', 'namespaces', 'ptrace']);
}

export function fakeId(text: string): FakeId {
  const [uid, gid = uid, ...rest] = text.split(':').map(id);
  if (uid === undefined || gid === undefined || rest.length > 0) throw new Refusal('neither UID nor UID:GID');
  return { uid, gid };
}

function id(text: string): number {
  const value = parseDecimal(text);
  // (uid_t) -1 means "leave as it is" to the kernel
  if (value === undefined || value >= 2 ** 32 - 1) throw new Refusal(`${text} is not an id`);
  return value;
}

const PARTS: readonly SharePart[] = ['home', 'cwd', 'tmp', 'users', 'network', 'timezone', 'display'];

export function shareHost(text: string): readonly SharePart[] {
  if (text === 'all') return PARTS;
  return text.split(',').map((part) => oneOf(part, PARTS));
}

/** An absolute path or a name, and options; there is no way to quote a blank. */
export function emulator(text: string): string {
  if (!/^[!-~]+( +[!-~]+)*$/.test(text)) throw new Refusal('not a command');
  return text;
}

export function portMap(text: string): PortPair[] {
  return text.split(',').map((pair) => {
    const [guest, host, ...rest] = pair.split(':').map(parseDecimal);
    if (!isPort(guest) || !isPort(host) || rest.length > 0) throw new Refusal(`${pair} is not PORT:HOST`);
    return { guest, host };
  });
}

function isPort(value: number | undefined): value is number {
  return value !== undefined && value > 0 && value < 65536;
}

/** What fits into struct utsname. */
const LONGEST = 64;

export function kernelRelease(text: string): string {
  if (text.length > LONGEST) throw new Refusal(`longer than ${LONGEST} characters`);
  if (!/^\d+\.\d+[!-~]*$/.test(text)) throw new Refusal('no release such as 6.1.0');
  return text;
}
