// The report of the probe in normal form: one value per name, with what must differ from run to run taken out.

import { readFileSync } from 'node:fs';

/** Of /proc/self/status: who the process is and what it may do. */
const STATUS =
  /^(Uid|Gid|Groups|NStgid|SigBlk|SigIgn|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp|Umask):[\t ]*(.*?)[\t ]*$/gm;
const UUID = /\b[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}\b/g;

/** Splits at the lines "@@ NAME"; undefined when the probe did not come to its end. */
function sections(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  for (const part of text.replaceAll('\r\n', '\n').split(/^@@ /m).slice(1)) {
    const end = part.indexOf('\n');
    found.set(part.slice(0, end), part.slice(end + 1));
  }
  return found.has('end') ? found : undefined;
}

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/**
 * What the probe saw, by name: `self cwd`, `mount /proc`, `environ PATH`, `tree /dev/null`, `call mount`.
 *
 * @param text standard output of the probe
 * @param place the launcher's directory, which shows in the sources of mounts
 */
export function readReport(text: string, place: string): Map<string, string> | undefined {
  const found = sections(text);
  if (found === undefined) return undefined;
  const seen = new Map<string, string>();
  for (const [name, body] of found) {
    switch (name) {
      case 'self':
      case 'fds':
        for (const line of linesOf(body)) {
          const [word = '', ...rest] = line.split(' ');
          seen.set(`${name === 'fds' ? 'fd' : name} ${word}`, rest.join(' '));
        }
        break;
      case 'special calls':
        for (const line of linesOf(body)) seen.set(`call ${line.replace(/ \S+$/, '')}`, line.replace(/^.* /, ''));
        break;
      case 'status':
        for (const [, key, value] of body.matchAll(STATUS)) seen.set(`status ${key}`, value ?? '');
        break;
      case 'limits':
        for (const line of linesOf(body).slice(1))
          seen.set(`limit ${line.slice(0, 26).trim()}`, line.slice(26).trim().replace(/\s+/g, ' '));
        break;
      case 'mountinfo':
        for (const [path, value] of readMounts(body, place)) seen.set(`mount ${path}`, value);
        break;
      case 'environ':
      case 'environ of 1':
        for (const line of linesOf(body)) {
          const [variable = '', ...value] = line.split('=');
          seen.set(`${name} ${variable}`, value.join('=').replace(UUID, '(random)'));
        }
        break;
      case 'tree':
        for (const line of linesOf(body)) {
          const [path = '', ...rest] = line.split(' ');
          seen.set(`tree ${path}`, rest.join(' '));
        }
        break;
      case 'calls':
      case 'compat calls': {
        const names = callNames(name === 'calls' ? '64' : '32');
        for (const line of linesOf(body)) {
          const [number = '', answer = ''] = line.split(' ');
          seen.set(`${name === 'calls' ? 'call' : 'compat call'} ${names.get(number) ?? number}`, answer);
        }
        break;
      }
      case 'end':
        break;
      default:
        seen.set(`file ${name}`, body.replace(UUID, '(random)').slice(0, 500));
    }
  }
  return seen;
}

interface Mount {
  readonly id: string;
  readonly parent: string;
  readonly root: string;
  readonly path: string;
  readonly options: string;
  readonly propagation: string;
  readonly type: string;
  readonly source: string;
  readonly data: string;
}

/**
 * The mounts that can be seen, by path: ids, device numbers and peer groups are those of one run and are left out. A source is
 * told where it lies in the launcher's directory, which both have under another name.
 */
function readMounts(text: string, place: string): Map<string, string> {
  const mounts = linesOf(text).map((line): Mount => {
    const [before = '', after = ''] = line.split(' - ');
    const [id = '', parent = '', , root = '', path = '', options = '', ...propagation] = before.split(' ');
    const [type = '', source = '', data = ''] = after.split(' ');
    return {
      id,
      parent,
      root,
      path,
      options,
      propagation: propagation.map((word) => word.split(':')[0]).join(' '),
      type,
      source,
      data,
    };
  });
  const seen = new Map<string, string>();
  const ids = new Set(mounts.map(({ id }) => id));
  const root = mounts.find(({ parent, path }) => path === '/' && !ids.has(parent));
  for (const path of [...new Set(mounts.map((mount) => mount.path))].sort()) {
    const mount = topmost(mounts, root, path);
    if (mount?.path !== path) continue; // covered as a whole
    const within = mount.root.startsWith(place) ? ` of PLACE${mount.root.slice(place.length)}` : '';
    // of the super block: what the whole host sees of sysfs
    const data = mount.data
      .replaceAll(place, 'PLACE')
      .replace(/^(ro|rw),?/, '')
      // how many layers, not by which names they were opened
      .replace(/\b(lowerdir|upperdir|workdir)=([^,]*)/g, (_, name, value) => `${name}=${value.split(':').length}`);
    seen.set(path, `${mount.type} ${mount.options} [${mount.propagation}] ${data}${within}`);
  }
  return seen;
}

/** The mount that a lookup of the path ends in. */
function topmost(mounts: readonly Mount[], root: Mount | undefined, path: string): Mount | undefined {
  let current = root;
  const steps =
    path === '/' ? ['/'] : path.split('/').map((_, index, words) => words.slice(0, index + 1).join('/') || '/');
  for (const step of steps) {
    for (;;) {
      const next = mounts.findLast((mount) => mount.parent === current?.id && mount.path === step && mount !== current);
      if (next === undefined) break;
      current = next;
    }
  }
  return current;
}

const HEADERS = ['/usr/include/x86_64-linux-gnu/asm', '/usr/include/asm'];
const known = new Map<string, Map<string, string>>();

/** Names of system calls by number, from the kernel's headers; none where these are not installed. */
function callNames(bits: '64' | '32'): Map<string, string> {
  const names = known.get(bits) ?? new Map<string, string>();
  if (known.has(bits)) return names;
  known.set(bits, names);
  for (const directory of HEADERS) {
    try {
      const text = readFileSync(`${directory}/unistd_${bits}.h`, 'utf8');
      for (const [, name = '', number = ''] of text.matchAll(/^#define __NR_(\w+) (\d+)$/gm)) names.set(number, name);
      break;
    } catch {}
  }
  return names;
}
