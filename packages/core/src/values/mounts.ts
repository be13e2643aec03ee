// Paths, and the mounts that can be asked for.

import { latin1Of } from '../bytes';
import { hasDotDot, isAbsolute, isNormalized, isUnder, simplify } from '../paths';
import type { BindIds, BindMount, ContainerSpec, InaccessibleMount, OverlayMount, Source, TmpfsMount } from '../spec';
import { Refusal, splitColons, words } from './text';

const COLON_HINT = 'write a colon within a path as \\:';

/** What the kernel takes, without the zero at the end (linux/limits.h). */
const PATH_MAX = 4095;
const NAME_MAX = 255;

/** A path of the host: anything that a file could have as its path. */
export function path(text: string): string {
  if (text === '') throw new Refusal('an empty path');
  if (latin1Of(text).length > PATH_MAX) throw new Refusal(`longer than ${PATH_MAX} bytes`);
  if (text.split('/').some((component) => latin1Of(component).length > NAME_MAX))
    throw new Refusal(`a component is longer than ${NAME_MAX} bytes`);
  return text;
}

/** True for an absolute path of the guest that could exist. */
export function isGuestPath(text: string): boolean {
  return isAbsolute(text) && path(text) === text;
}

export function chdir(text: string): string {
  if (!isGuestPath(text)) throw new Refusal('must be an absolute path in the container');
  if (!isNormalized(text)) throw new Refusal('must be free of empty, . and .. components');
  const simple = simplify(text);
  const api = ['/proc', '/sys', '/dev'].find((root) => isUnder(simple, root));
  if (api !== undefined) throw new Refusal(`must not be below ${api}`);
  return simple;
}

/** A path of the guest that something goes to. */
function destination(text: string): string {
  if (!isGuestPath(text)) throw new Refusal(`the destination ${text || '(empty)'} is not an absolute path`);
  if (hasDotDot(text)) throw new Refusal(`the destination ${text} contains ..`);
  const simple = simplify(text);
  if (simple === '/') throw new Refusal('the root of the container cannot be covered');
  return simple;
}

/** `+/path` of the tree, or a path of the host. */
function source(text: string): Source {
  const inTree = text.startsWith('+');
  const place = inTree ? text.slice(1) : text;
  if (place === '') throw new Refusal('the source is empty');
  if (inTree && !isAbsolute(place)) throw new Refusal('a path of the tree (after +) starts with /');
  if (inTree && hasDotDot(place)) throw new Refusal(`the source ${place} contains ..`);
  return { path: path(place), inTree };
}

const BIND_IDS: { readonly [option: string]: BindIds } = {
  idmap: 'idmap',
  noidmap: 'none',
  rootidmap: 'rootidmap',
  owneridmap: 'owneridmap',
};

export function bind(text: string, readOnly: boolean): BindMount {
  const [first = '', place, options = '', ...rest] = splitColons(text);
  // as PRoot has it: the link itself is meant
  const link = place?.endsWith('!') === true;
  const second = link ? place.slice(0, -1) : place;
  if (rest.length > 0) throw new Refusal('more than three fields', COLON_HINT);
  let recursive = true;
  let ids: BindIds = 'none';
  for (const option of words(options)) {
    if (option === 'rbind' || option === 'norbind') recursive = option === 'rbind';
    else if (Object.hasOwn(BIND_IDS, option)) ids = BIND_IDS[option] ?? 'none';
    else {
      throw new Refusal(`unknown bind option ${option}`, 'known: rbind norbind idmap noidmap rootidmap owneridmap');
    }
  }
  const common = { kind: 'bind', readOnly, recursive, ids, ...(link ? { coverLink: true } : {}) } as const;
  if (first === '') {
    if (second === undefined) throw new Refusal('the source is empty');
    return { ...common, source: 'temporary', destination: destination(second) };
  }
  const from = source(first);
  // checked here as well for a bind on the same path, so that `--bind=/` is told as a mistake of the option
  const to = second !== undefined ? destination(second) : isAbsolute(from.path) ? destination(from.path) : undefined;
  return { ...common, source: from, ...(to === undefined ? {} : { destination: to }) };
}

export function tmpfs(text: string): TmpfsMount {
  const [first = '', ...rest] = splitColons(text);
  const to = destination(first);
  const options = rest.join(':');
  return options === '' ? { kind: 'tmpfs', destination: to } : { kind: 'tmpfs', destination: to, options };
}

export function overlay(text: string, readOnly: boolean): OverlayMount {
  const fields = splitColons(text);
  if (fields.length < 2) throw new Refusal('needs at least two paths', 'write LOWER:UPPER:DESTINATION');
  const last = fields.pop() ?? '';
  // of two paths the second is both the highest layer and the destination
  const layers = fields.length === 1 ? [...fields, last] : fields;
  const top = readOnly ? undefined : (layers.pop() ?? '');
  const common = { kind: 'overlay', lower: layers.map(source), destination: destination(last) } as const;
  if (top === undefined) return common;
  return { ...common, upper: top === '' ? 'temporary' : source(top) };
}

export function inaccessible(text: string): InaccessibleMount {
  return { kind: 'inaccessible', destination: destination(text) };
}

export function pivotRoot(text: string): NonNullable<ContainerSpec['pivotRoot']> {
  const [first = '', second, ...rest] = splitColons(text);
  if (rest.length > 0) throw new Refusal('more than two paths', COLON_HINT);
  const newRoot = directoryOfTree(first);
  if (second === undefined) return { newRoot };
  const oldRoot = directoryOfTree(second);
  if (oldRoot === newRoot) throw new Refusal('the old root cannot be where the new one was');
  return { newRoot, oldRoot };
}

function directoryOfTree(text: string): string {
  if (!isGuestPath(text) || hasDotDot(text))
    throw new Refusal(`${text || '(empty)'} is not an absolute path without ..`);
  const simple = simplify(text);
  if (simple === '/') throw new Refusal('/ is the root already');
  return simple;
}
