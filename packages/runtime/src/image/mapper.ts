// Devices that are decrypted or checked while they are read, through cryptsetup and veritysetup. The device is given its deferred
// removal as soon as it is open: the kernel drops it with its last user, whoever is killed.

import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ImageDefect } from '@tsnspawn/core';
import type { Device } from './device';
import { reasonOf } from './reason';
import type { VerityMaterial } from './verity';

const CONTROL = '/dev/mapper/control';

/** A node may be there without anything behind it: the library makes it. The library also does without it. */
function hasDeviceMapper(): boolean {
  return canOpen(CONTROL) || /^\s*\d+ device-mapper$/m.test(readFileSync('/proc/misc', 'latin1'));
}

/**
 * What can be known before the tool is called.
 * @throws ImageDefect where the kernel or the tool is missing
 */
function requireMapper(tool: 'cryptsetup' | 'veritysetup', what: string): void {
  requireDeviceMapper(tool, what);
  const installed = (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, tool)));
  if (installed) return;
  const package_ = tool === 'veritysetup' ? 'cryptsetup-bin' : 'cryptsetup';
  throw new ImageDefect(
    `${what} needs ${tool}, which is not installed`,
    `on Debian: apt-get install ${package_}; it lies in /usr/sbin, which must be in PATH`,
  );
}

function requireDeviceMapper(tool: 'cryptsetup' | 'veritysetup', what: string): void {
  if (hasDeviceMapper()) return;
  // the tools would load it too, but only tell in their own way that there is none
  spawnSync('modprobe', ['dm_mod'], { stdio: 'ignore' });
  if (hasDeviceMapper()) return;
  const crypt = tool === 'cryptsetup';
  throw new ImageDefect(
    `${what} ${crypt ? 'is encrypted' : 'has a root hash'}, and this kernel has no device mapper to open it with`,
    `modprobe dm_mod, or a kernel with CONFIG_BLK_DEV_DM and CONFIG_DM_${crypt ? 'CRYPT' : 'VERITY'}${
      crypt ? '' : '; --image-policy=root=unprotected:usr=unprotected starts it unchecked'
    }`,
  );
}

/**
 * Decrypts a LUKS device with a password that cryptsetup asks for on the terminal.
 *
 * @param name of the new device, unused so far
 * @param what is encrypted, for messages: `its root partition`
 * @throws ImageDefect
 */
export function openLuks(device: Device, name: string, what: string, mayAsk: boolean): Device {
  if (!mayAsk) throw new ImageDefect(`${what} is encrypted, and --no-ask-password forbids to ask for its password`);
  requireMapper('cryptsetup', what);
  if (!canOpen('/dev/tty'))
    throw new ImageDefect(`${what} is encrypted, and there is no terminal to ask for its password on`);
  const options = device.readOnly ? ['--readonly'] : ['--allow-discards'];
  return openMapped('cryptsetup', ['open', '--type=luks', ...options, device.path, name], name, what, device.readOnly);
}

/**
 * Checks a device against a root hash while it is read.
 *
 * @param tree the device or file with the hash tree
 * @throws ImageDefect
 */
export function openVerity(device: Device, tree: string, verity: VerityMaterial, name: string, what: string): Device {
  requireMapper('veritysetup', what);
  const directory = verity.signature === undefined ? undefined : mkdtempSync(join(tmpdir(), 'tsnspawn-verity-'));
  try {
    const options: string[] = [];
    if (directory !== undefined && verity.signature !== undefined) {
      const file = join(directory, 'signature');
      writeFileSync(file, verity.signature);
      options.push(`--root-hash-signature=${file}`);
    }
    return openMapped('veritysetup', ['open', ...options, device.path, name, tree, verity.hash], name, what, true);
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true });
  }
}

function openMapped(tool: string, args: readonly string[], name: string, what: string, readOnly: boolean): Device {
  // without udev the library would wait for it, and never make the node
  const env = { ...process.env, ...(existsSync('/run/udev/control') ? {} : { DM_DISABLE_UDEV: '1' }) };
  // standard output may be the caller's data
  const run = (words: readonly string[]): number | null => {
    const { error, status } = spawnSync(tool, words, { stdio: ['inherit', 2, 2], env });
    if (error !== undefined) throw new ImageDefect(`${tool} cannot be executed: ${reasonOf(error).text}`);
    return status;
  };
  const status = run(args);
  if (status !== 0) throw new ImageDefect(`${what} cannot be opened: ${tool} ended with status ${status}`);
  const path = `/dev/mapper/${name}`;
  try {
    return { fd: openSync(path, readOnly ? 'r' : 'r+'), path, readOnly };
  } catch (error) {
    throw new ImageDefect(`${what} cannot be opened: ${path}: ${reasonOf(error).text}`);
  } finally {
    // the open descriptor keeps it until then
    run(['close', '--deferred', name]);
  }
}

function canOpen(path: string): boolean {
  try {
    closeSync(openSync(path, 'r+'));
    return true;
  } catch {
    return false;
  }
}
