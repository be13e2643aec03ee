// The mounts of a bundle.

import { components, isAbsolute, isUnder, simplify } from '../paths';
import type { MountFlag } from '../plan';
import type { CustomMount, Source } from '../spec';
import { PARSERS } from '../values';
import { required, type Value } from './json';

/** What a container of this launcher has anyway, by the types that a bundle asks for there. */
const OWN: readonly { readonly path: string; readonly types: readonly string[] }[] = [
  { path: '/proc', types: ['proc'] },
  { path: '/dev', types: ['tmpfs', 'devtmpfs'] },
  { path: '/dev/pts', types: ['devpts'] },
  { path: '/dev/shm', types: ['tmpfs'] },
  { path: '/dev/mqueue', types: ['mqueue'] },
  { path: '/sys', types: ['sysfs'] },
  { path: '/sys/fs/cgroup', types: ['cgroup', 'cgroup2', 'tmpfs'] },
  { path: '/run', types: ['tmpfs'] },
  { path: '/tmp', types: ['tmpfs'] },
];

/** Options that mean how mounts propagate: those of a container do so in it, and not to the host. */
const PROPAGATION = /^r?(?:private|shared|slave|unbindable)$/;

/** Options that are flags of a mount, for binds; each other flag word only takes one of these back. */
const FLAGS: { readonly [option: string]: MountFlag } = {
  nosuid: 'nosuid',
  nodev: 'nodev',
  noexec: 'noexec',
  noatime: 'noatime',
  nodiratime: 'nodiratime',
  relatime: 'relatime',
  strictatime: 'strictatime',
  nosymfollow: 'nosymfollow',
};
const DEFAULTS = new Set([
  'rw',
  'suid',
  'dev',
  'exec',
  'atime',
  'diratime',
  'norelatime',
  'nostrictatime',
  'symfollow',
  'defaults',
]);

/** @param directory absolute path of the bundle, where relative sources start */
export function readMounts(mounts: Value, directory: string): CustomMount[] {
  return mounts.list().flatMap((mount) => readMount(mount, directory));
}

function readMount(mount: Value, directory: string): CustomMount[] {
  const fields = mount.fields('destination', 'source', 'type', 'options', 'uidMappings', 'gidMappings');
  for (const maps of [fields.uidMappings, fields.gidMappings])
    if (maps !== undefined && maps.list().length > 0)
      maps.fail('is not supported', "the option 'idmap' maps as the container does");
  const destination = destinationOf(required(fields.destination, mount, 'destination'));
  const options = (fields.options?.list() ?? []).filter((option) => !PROPAGATION.test(option.text()));
  const words = options.map((option) => option.text());
  const type = fields.type?.text() ?? 'bind';
  const binds = ['bind', 'none'].includes(type) || words.includes('bind') || words.includes('rbind');
  if (!binds && OWN.some(({ path, types }) => path === destination && types.includes(type))) return [];
  // each cgroup hierarchy is in the guest's own place already
  if (type.startsWith('cgroup') && isUnder(destination, '/sys/fs/cgroup')) return [];
  if (binds) return [bindOf(required(fields.source, mount, 'source'), destination, options, directory)];
  switch (type) {
    case 'tmpfs':
      return [{ kind: 'tmpfs', destination, ...(words.length === 0 ? {} : { options: words.join(',') }) }];
    case 'overlay':
      return [overlayOf(mount, destination, options, directory)];
    default:
      return (fields.type ?? mount).fail(
        `'${type}' cannot be mounted on ${destination}`,
        'known are bind, tmpfs and overlay',
      );
  }
}

/** Checked as that of --inaccessible is: absolute, without .., not the root. */
export function destinationOf(value: Value): string {
  return value.parsed(PARSERS.inaccessible).destination;
}

function bindOf(source: Value, destination: string, options: readonly Value[], directory: string): CustomMount {
  const flags = new Set<MountFlag>();
  let [readOnly, recursive, ids] = [false, false, 'none' as 'none' | 'idmap'];
  for (const option of options) {
    const word = option.text();
    const flag = Object.hasOwn(FLAGS, word) ? FLAGS[word] : undefined;
    if (flag !== undefined) flags.add(flag);
    else if (word === 'ro' || word === 'rro') readOnly = true;
    else if (word === 'bind' || word === 'rbind') recursive = word === 'rbind';
    else if (word === 'idmap' || word === 'ridmap') ids = 'idmap';
    else if (!DEFAULTS.has(word)) option.fail(`'${word}' is not known for a bind`);
  }
  return {
    kind: 'bind',
    source: sourceOf(source, source.text(), directory),
    destination,
    readOnly,
    recursive,
    ids,
    ...(flags.size === 0 ? {} : { flags: [...flags] }),
  };
}

/** Options of overlayfs: lowerdir with the topmost first, upperdir; the working directory is made beside the latter. */
function overlayOf(mount: Value, destination: string, options: readonly Value[], directory: string): CustomMount {
  let lower: Source[] = [];
  let upper: Source | undefined;
  for (const option of options) {
    const [name = '', ...rest] = option.text().split('=');
    const value = rest.join('=');
    if (name === 'lowerdir')
      lower = value
        .split(':')
        .reverse()
        .map((path) => sourceOf(option, path, directory));
    else if (name === 'upperdir') upper = sourceOf(option, value, directory);
    else if (name !== 'workdir' && !DEFAULTS.has(name)) option.fail(`'${option.text()}' is not known for an overlay`);
  }
  if (lower.length === 0) mount.fail('an overlay without lowerdir');
  return { kind: 'overlay', lower, destination, ...(upper === undefined ? {} : { upper }) };
}

function sourceOf(place: Value, path: string, directory: string): Source {
  if (path === '') place.fail('is empty');
  return { path: isAbsolute(path) ? path : simplify(`${directory}/${components(path).join('/')}`), inTree: false };
}
