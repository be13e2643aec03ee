// Finding the settings file of a machine.

import { isUtf8 } from 'node:buffer';
import { dirname, join } from 'node:path';
import { describeErrno, type FoundSettings, TsnspawnError } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';

/** Where an administrator puts them: systemd.nspawn(5). */
const TRUSTED = ['/etc/systemd/nspawn', '/run/systemd/nspawn'];

const REASONS: { readonly [errno: number]: string } = {
  [-18]: 'its link leads out of the directory, or nowhere',
  [-22]: 'it is no regular file',
};

const NO_ACCESS = -13; // -EACCES

const MOST_BYTES = 1024 * 1024;

/**
 * The first settings file of this machine: of the administrator, else the one that lies beside its tree or image, where links
 * are not followed out of the directory.
 *
 * @param name machine name
 * @param place absolute path of the tree or image
 * @throws TsnspawnError when there is something of that name that cannot be read
 */
export function findSettings(name: string, place: string): FoundSettings | undefined {
  for (const directory of [...TRUSTED, dirname(place)]) {
    const trusted = TRUSTED.includes(directory);
    // the root of the host has nothing beside it
    if (!trusted && place === '/') continue;
    const content = addon().readBeside(directory, `${name}.nspawn`, MOST_BYTES + 1, !trusted);
    if (content === undefined) continue;
    // an ordinary user who may not even look there cannot start what lies there: the tree tells it better
    if (content === NO_ACCESS && process.geteuid?.() !== 0) continue;
    const path = join(directory, `${name}.nspawn`);
    if (typeof content === 'number') throw cannotRead(path, REASONS[content] ?? describeErrno(content).text);
    if (content.length > MOST_BYTES) throw cannotRead(path, 'it is larger than 1 MiB');
    if (!isUtf8(content)) throw cannotRead(path, 'it is not UTF-8');
    return { path, text: content.toString('utf8'), trusted };
  }
  return undefined;
}

function cannotRead(path: string, reason: string): TsnspawnError {
  return new TsnspawnError(`cannot read the settings file ${path}: ${reason}`, {
    path,
    hint: `--settings=no does without it; files of the administrator go into ${TRUSTED[0]}`,
  });
}
