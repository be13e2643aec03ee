// No option is taken by the ptrace engine without an effect: with it something else is planned or done than without, or it is refused
// by its name.

import { lowerPtrace, OPTIONS, type OptionRow, parseArguments, requireTraceable, withShare } from '@tsnspawn/core';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loneUser, RUN, viewOf } from './fixtures';

const ID = '0123456789abcdef0123456789abcdef';
const HOST = loneUser({ journal: { id: ID, same: false, place: 'empty' } });
const ENGINE = { root: false, temporary: '/tmp', caller: { uid: 1000, gid: 1000 } };

/** All that is planned and done for these words. */
function outcome(...words: readonly string[]): string {
  const invocation = parseArguments(words, {});
  if (invocation.kind !== 'launch') return JSON.stringify(invocation);
  const { spec: asked, ...rest } = invocation;
  requireTraceable(asked);
  const plan = lowerPtrace(
    viewOf(words, HOST),
    withShare(asked, HOST, () => true),
    RUN,
    ENGINE,
  );
  // what is settled before there is a plan
  const { directory, template, engine, askPassword } = asked;
  return JSON.stringify([plan, rest, directory, template, engine, askPassword]);
}

/** A value of each option that says something else than the default. */
const VALUES: { readonly [name: string]: string } = {
  '--directory': '/srv/other',
  '--image': '/srv/image',
  '--machine': 'other',
  '--template': '/srv/template',
  '--volatile': 'state',
  '--pivot-root': '/new',
  '--root-hash': ID,
  '--root-hash-sig': 'base64:AAAA',
  '--verity-data': '/srv/verity',
  '--image-policy': 'root=verity',
  '--oci-bundle': '/srv/bundle',
  '--hostname': 'other',
  '--uuid': ID,
  '--engine': 'ptrace',
  '--fake-id': '5:5',
  '--share-host': 'home',
  '--qemu': 'qemu-x86_64',
  '--port-map': '80:8080',
  '--kernel-release': '5.0',
  '--user': 'me',
  '--chdir': '/srv',
  '--setenv': 'A=b',
  '--kill-signal': 'SIGUSR1',
  '--personality': 'x86',
  '--private-users': 'pick',
  '--private-users-ownership': 'map',
  '--bind-user': 'me',
  '--bind-user-shell': '/bin/sh',
  '--bind-user-group': 'wheel',
  '--bind': '/data:/srv',
  '--bind-ro': '/data:/srv',
  '--tmpfs': '/x',
  '--overlay': '/a:/b:/c',
  '--overlay-ro': '/a:/b:/c',
  '--inaccessible': '/root',
  '--proc': 'read-only',
  '--capability': 'net_admin',
  '--drop-capability': 'chown',
  '--ambient-capability': 'chown',
  '--system-call-filter': '~chown',
  '--selinux-context': 'a:b:c',
  '--selinux-apifs-context': 'a:b:c',
  '--rlimit': 'NOFILE=64',
  '--oom-score-adjust': '5',
  '--cpu-affinity': '0',
  '--property': 'MemoryMax=1G',
  '--slice': 'other.slice',
  '--network-veth-extra': 'a:b',
  '--network-bridge': 'br0',
  '--network-zone': 'z',
  '--network-macvlan': 'eth0',
  '--network-ipvlan': 'eth0',
  '--network-interface': 'eth0',
  '--network-namespace-path': '/run/netns/x',
  '--port': '80',
  '--resolv-conf': 'copy-static',
  '--timezone': 'delete',
  '--link-journal': 'host',
  '--set-credential': 'a:b',
  '--load-credential': 'a:/etc/hostname',
  '--console': 'pipe',
  '--background': '44',
  '--settings': 'no',
};

/** What is read before there is a spec, what is wanted only where it is possible, and what is so without `--share-host`. */
const BESIDE: readonly string[] = ['--fake-root', '--settings', '--oci-bundle', '--no-pager', '-U', '-j'];
/** Other spellings are refused by the name that is in the manual. */
const CALLED: { readonly [name: string]: string } = { '--private-users-chown': '--private-users-ownership' };

const nameOf = ({ long, short }: OptionRow): string => (long === undefined ? `-${short}` : `--${long}`);

function wordsOf(row: OptionRow): string[] {
  const name = nameOf(row);
  const value = VALUES[name] ?? (row.value === 'boolean' && row.takes !== 'nothing' ? 'yes' : undefined);
  return [value === undefined || row.takes === 'nothing' ? name : `${name}=${value}`, 'true'];
}

for (const row of OPTIONS) {
  const name = nameOf(row);
  test(`${name} is done, or refused by its name`, () => {
    const words = wordsOf(row);
    if (BESIDE.includes(name)) return;
    let said: string;
    try {
      said = outcome(...words);
    } catch (error) {
      return assert.match(
        (error as Error).message,
        row.long === undefined ? /^--/ : new RegExp(`^${CALLED[name] ?? name}[:=]`),
      );
    }
    assert.is.not(said, outcome('true'), `${words[0]} has no effect`);
  });
}

test.run();
