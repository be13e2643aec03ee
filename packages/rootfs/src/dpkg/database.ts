// The package database as dpkg itself would have left it after unpacking: status, info/*, triggers. Writing it takes
// milliseconds; having dpkg unpack everything a second time takes seconds.
//
// Configuration files lie in place already, with their sums in the status file: dpkg asks about a configuration file only while
// it lies there as .dpkg-new. So a script that runs early (passwd's) finds the files of a package configured later.
import * as crypto from 'node:crypto';
import { parseDeb822 } from '../apt/deb822';
import type { Package } from '../apt/packages';
import type { ControlFiles } from '../archive/deb';
import type { TreeWriter } from '../archive/tree-writer';
import { BootstrapError, reasonOf } from '../errors';
import { packageText, type Unpacked } from './unpack';

const BASE = 'var/lib/dpkg';
const DIRECTORIES = ['info', 'updates', 'parts', 'triggers', 'alternatives'] as const;

/** What a package's files in info/ are called: those of co-installable packages carry the architecture. */
export function databaseName(one: Package): string {
  return one.multiArch === 'same' ? `${one.name}:${one.architecture}` : one.name;
}

/** Write the database for packages that are unpacked and not configured. */
export function writeDatabase(writer: TreeWriter, packages: readonly Unpacked[], architecture: string): void {
  for (const name of DIRECTORIES) writer.directory(`${BASE}/${name}`);
  writer.write(`${BASE}/info/format`, '1\n');
  writer.write(`${BASE}/arch`, `${architecture}\n`);
  for (const one of packages) writeInfo(writer, one);
  writeTriggers(writer, packages);
  writer.write(`${BASE}/status`, packages.map((one) => stanza(writer, one)).join('\n'));
}

function writeInfo(writer: TreeWriter, { package: one, control, paths }: Unpacked): void {
  const stem = `${BASE}/info/${databaseName(one)}`;
  writer.write(`${stem}.list`, `${paths.join('\n')}\n`);
  for (const [name, file] of control) {
    if (name === 'control') continue;
    writer.write(`${stem}.${name}`, file.content, file.executable ? 0o755 : 0o644);
  }
  if (!control.has('md5sums')) writer.write(`${stem}.md5sums`, sums(writer, paths, new Set(conffiles(control))));
}

/** A package without sums gets them made, as dpkg does, so that it can be verified later. */
function sums(writer: TreeWriter, paths: readonly string[], without: ReadonlySet<string>): string {
  let text = '';
  for (const listed of paths) {
    const name = listed.slice(1);
    if (without.has(listed) || name === '.' || !writer.isFile(name)) continue;
    text += `${md5(writer.read(name) ?? Buffer.alloc(0))}  ${name}\n`;
  }
  return text;
}

function md5(content: Buffer): string {
  return crypto.createHash('md5').update(content).digest('hex');
}

/** The configuration files that a package ships; those marked remove-on-upgrade are not shipped. */
function conffiles(control: ControlFiles): string[] {
  const text = control.get('conffiles')?.content.toString('utf8') ?? '';
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('/'));
}

function stanza(writer: TreeWriter, { package: one, control }: Unpacked): string {
  const text = (control.get('control')?.content.toString('utf8') ?? '').trimEnd();
  check(one, text);
  let conffileLines = '';
  for (const file of conffiles(control)) {
    const content = writer.read(file.slice(1));
    if (content !== undefined) conffileLines += `\n ${file} ${md5(content)}`;
  }
  // A file that an upgrade is to remove is remembered like this when it never was there.
  for (const line of (control.get('conffiles')?.content.toString('utf8') ?? '').split('\n')) {
    const file = /^remove-on-upgrade\s+(\/.*\S)\s*$/.exec(line)?.[1];
    if (file !== undefined) conffileLines += `\n ${file} newconffile remove-on-upgrade`;
  }
  const lines = text.split('\n').filter((line) => !/^(Status|Conffiles|Config-Version):/i.test(line));
  const first = lines.findIndex((line) => /^Package:/i.test(line));
  lines.splice(first + 1, 0, 'Status: install ok unpacked');
  return `${lines.join('\n')}${conffileLines === '' ? '' : `\nConffiles:${conffileLines}`}\n`;
}

/** The signed index vouches for the file; that the file says the same of itself guards against a confused archive. */
function check(one: Package, text: string): void {
  let reason = '';
  try {
    const [control, ...more] = parseDeb822(text);
    if (control === undefined || more.length > 0) reason = 'its control file is not one paragraph';
    else if (
      control.get('Package') !== one.name ||
      control.get('Version') !== one.version ||
      control.get('Architecture') !== one.architecture
    ) {
      reason = `it says of itself to be ${control.get('Package')} ${control.get('Version')} for ${control.get('Architecture')}`;
    }
  } catch (error) {
    reason = `its control file is damaged: ${reasonOf(error)}`;
  }
  if (reason !== '') throw new BootstrapError('ARCHIVE_INVALID', `cannot unpack ${packageText(one)}: ${reason}`);
}

function writeTriggers(writer: TreeWriter, packages: readonly Unpacked[]): void {
  let files = '';
  const named = new Map<string, string>();
  for (const { package: one, control } of packages) {
    for (const line of (control.get('triggers')?.content.toString('utf8') ?? '').split('\n')) {
      const match = /^\s*interest(-await|-noawait)?\s+(\S+)/.exec(line);
      if (match === null) continue;
      const [, wait, trigger] = match as unknown as [string, string | undefined, string];
      const interested = `${databaseName(one)}${wait === '-noawait' ? '/noawait' : ''}`;
      if (trigger.startsWith('/')) files += `${trigger} ${interested}\n`;
      else if (/^[A-Za-z0-9][A-Za-z0-9.+:-]*$/.test(trigger))
        named.set(trigger, `${named.get(trigger) ?? ''}${interested}\n`);
    }
  }
  writer.write(`${BASE}/triggers/File`, files);
  writer.write(`${BASE}/triggers/Unincorp`, '');
  for (const [trigger, interested] of named) writer.write(`${BASE}/triggers/${trigger}`, interested);
}
