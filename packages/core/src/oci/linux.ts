// The part `linux` of a bundle: namespaces, ids, devices, resources, kernel parameters, and what is covered.

import type { Settings } from '../options';
import type { CustomMount, ExtraDevice, Sysctl } from '../spec';
import { PARSERS } from '../values';
import { required, unsupported, type Value } from './json';
import { destinationOf } from './mounts';
import { readResources } from './resources';
import { readSeccomp } from './seccomp';

const NAMESPACES = ['pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'] as const;

export function readLinux(linux: Value): Settings {
  const fields = linux.fields(
    ...([
      'namespaces',
      'uidMappings',
      'gidMappings',
      'devices',
      'cgroupsPath',
      'resources',
      'intelRdt',
      'sysctl',
    ] as const),
    ...([
      'seccomp',
      'rootfsPropagation',
      'maskedPaths',
      'readonlyPaths',
      'mountLabel',
      'personality',
      'timeOffsets',
    ] as const),
    ...(['memoryPolicy', 'netDevices'] as const),
  );
  unsupported(fields.intelRdt);
  unsupported(fields.timeOffsets);
  unsupported(fields.memoryPolicy);
  unsupported(fields.netDevices, '--network-interface moves one into the container');
  // the mounts of the container are shared with those it makes itself, and follow those of the host
  fields.rootfsPropagation?.oneOf('', 'shared', 'slave', 'private', 'unbindable', 'rshared', 'rslave', 'rprivate');
  const sysctl = fields.sysctl?.entries().map(readSysctl) ?? [];
  const devices = fields.devices?.list().flatMap(readDevice) ?? [];
  const mounts: CustomMount[] = [
    ...(fields.readonlyPaths?.list() ?? []).map(readOnly),
    ...(fields.maskedPaths?.list() ?? []).map(masked),
  ];
  const properties = fields.resources === undefined ? [] : readResources(fields.resources);
  return {
    ...readNamespaces(required(fields.namespaces, linux, 'namespaces'), fields.uidMappings, fields.gidMappings),
    ...(sysctl.length === 0 ? {} : { sysctl }),
    ...(devices.length === 0 ? {} : { devices }),
    ...(mounts.length === 0 ? {} : { mounts }),
    ...(properties.length === 0 ? {} : { properties }),
    ...(fields.cgroupsPath === undefined ? {} : { slice: sliceOf(fields.cgroupsPath) }),
    ...(fields.seccomp === undefined ? {} : { seccompProfile: readSeccomp(fields.seccomp) }),
    ...(fields.mountLabel === undefined ? {} : { selinuxApiContext: fields.mountLabel.parsed(PARSERS.text) }),
    ...(fields.personality === undefined ? {} : readPersonality(fields.personality)),
  };
}

function readNamespaces(namespaces: Value, uids: Value | undefined, gids: Value | undefined): Settings {
  const found = new Map<string, string | undefined>();
  for (const item of namespaces.list()) {
    const { type, path } = item.fields('type', 'path');
    const name = required(type, item, 'type').oneOf(...NAMESPACES);
    if (found.has(name)) item.fail(`the namespace ${name} is named twice`);
    if (name === 'time') item.fail('time namespaces are not supported');
    if (path !== undefined && name !== 'network') path.fail(`an existing ${name} namespace cannot be joined`);
    found.set(name, path?.parsed(PARSERS.networkNamespace));
  }
  for (const name of ['mount', 'pid'] as const) {
    if (!found.has(name)) namespaces.fail(`a container without a ${name} namespace of its own is not supported`);
  }
  const path = found.get('network');
  return {
    ...(path === undefined ? { privateNetwork: found.has('network') } : { networkNamespacePath: path }),
    ...readIds(found.has('user'), uids, gids),
    sharedNamespaces: (['ipc', 'uts'] as const).filter((name) => !found.has(name)),
    cgroupNamespace: found.has('cgroup'),
  };
}

function readIds(isPrivate: boolean, uids: Value | undefined, gids: Value | undefined): Settings {
  const ranges = [uids, gids].flatMap((maps) => (maps === undefined ? [] : maps.list().map(readMapping)));
  for (const maps of [uids, gids]) {
    if (maps !== undefined && maps.list().length > 1) maps.fail('more than one range is not supported');
    if (maps !== undefined && maps.list().length === 1 && !isPrivate)
      maps.fail('there is no user namespace to map ids of');
  }
  if (!isPrivate) return { privateUsers: { mode: 'no' } };
  const [first, second = first] = ranges;
  if (first === undefined || second === undefined) return { privateUsers: { mode: 'owner' } };
  if (ranges.length === 1) (uids ?? gids)?.fail('users and groups must be mapped alike, and one of the two is not');
  if (first.base !== second.base || first.size !== second.size) gids?.fail('is not the range of uidMappings');
  return { privateUsers: { mode: 'range', ...first }, ownership: 'off' };
}

function readMapping(map: Value): { base: number; size: number } {
  const fields = map.fields('containerID', 'hostID', 'size');
  const id = (name: 'containerID' | 'hostID' | 'size', least: number): number =>
    required(fields[name], map, name).integer(least, 2 ** 32 - 1);
  if (id('containerID', 0) !== 0) map.fail("ranges that do not begin with the container's 0 are not supported");
  const [base, size] = [id('hostID', 0), id('size', 1)];
  if (base + size > 2 ** 32 - 1) map.fail('the range ends beyond the last id, 4294967294');
  return { base, size };
}

/** Made anyway, by their numbers: null zero full random urandom tty, console and ptmx. */
const OWN_DEVICES = ['1:3', '1:5', '1:7', '1:8', '1:9', '5:0', '5:1', '5:2'];

function readDevice(device: Value): ExtraDevice[] {
  const fields = device.fields('type', 'path', 'major', 'minor', 'fileMode', 'uid', 'gid');
  const path = destinationOf(required(fields.path, device, 'path'));
  const type = required(fields.type, device, 'type').oneOf('c', 'u', 'b', 'p');
  const mode = fields.fileMode?.integer(0, 0o7777) ?? 0o644;
  for (const id of [fields.uid, fields.gid]) {
    if (id !== undefined && id.integer(0, 2 ** 32 - 2) !== 0)
      id.fail('only the root of the container can own a device');
  }
  if (!path.startsWith('/dev/')) device.fail(`${path} is not below /dev`);
  if (type === 'p') return [{ path, type: 'fifo', mode }];
  const major = required(fields.major, device, 'major').integer(0, 4095);
  const minor = required(fields.minor, device, 'minor').integer(0, 2 ** 20 - 1);
  if (type !== 'b' && OWN_DEVICES.includes(`${major}:${minor}`)) return [];
  return [{ path, type: type === 'b' ? 'block' : 'char', mode, major, minor }];
}

function readSysctl([key, value]: readonly [string, Value]): Sysctl {
  if (!/^[!-.0-9:-~]+$/.test(key) || /^\.|\.\.|\.$/.test(key))
    value.fail(`'${key}' is not the name of a kernel parameter`);
  return { key, value: value.text() };
}

/** Not there, not covered: as other runtimes do, since lists of paths are made for many kernels. */
function masked(path: Value): CustomMount {
  return { kind: 'inaccessible', destination: destinationOf(path), optional: true };
}

function readOnly(path: Value): CustomMount {
  const destination = destinationOf(path);
  const source = { path: destination, inTree: true };
  return { kind: 'bind', source, destination, readOnly: true, recursive: true, ids: 'none', optional: true };
}

/** The cgroup of a slice, `/a.slice/a-b.slice`, or systemd's `SLICE:PREFIX:NAME`. */
function sliceOf(path: Value): string {
  const text = path.text();
  const [slice = '', prefix, name] = text.split(':');
  if (prefix !== undefined && name !== undefined) return path.parsed(PARSERS.slice, slice === '' ? 'system' : slice);
  const parts = text.split('/').filter((part) => part !== '');
  const last = parts.at(-1) ?? '';
  const stem = last.slice(0, -'.slice'.length);
  const expected = stem.split('-').map((_, index, all) => `${all.slice(0, index + 1).join('-')}.slice`);
  if (last.endsWith('.slice') && parts.join('/') === expected.join('/')) return path.parsed(PARSERS.slice, last);
  return path.fail(`'${text}' is not the path of a slice`, "without it the container has a cgroup below the caller's");
}

function readPersonality(personality: Value): Settings {
  const { domain, flags } = personality.fields('domain', 'flags');
  unsupported(flags);
  const name = required(domain, personality, 'domain').oneOf('LINUX', 'LINUX32');
  return name === 'LINUX32' ? { personality: 'x86' } : {};
}
