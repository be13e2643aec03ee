// The licences of what the portable archive holds, a file each.

import * as fs from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * @param debian directory in which Debian packages were unpacked
 * @param versions of those, by name
 */
export function packLicences({ node, debian, versions, to }) {
  const put = (name, from) => fs.copyFileSync(from, join(to, name));
  const doc = join(debian, 'usr/share/doc');
  put('glibc', join(doc, 'libc6/copyright'));
  put('libgcc-and-libstdc++', join(doc, 'gcc-14-base/copyright'));
  put('libseccomp', join(doc, 'libseccomp2/copyright'));
  // what those refer to, and the licence of tsnspawn
  for (const name of ['GPL-2', 'GPL-3', 'LGPL-2.1', 'LGPL-3'])
    put(name, join(debian, 'usr/share/common-licenses', name));
  put('node', licenceOfNode(node));
  for (const [name, file] of licencesOfModules()) put(`npm-${name.replace('/', '-')}`, file);
  const packages = [...versions].map(([name, version]) => `  ${name} ${version}\n`).sort();
  fs.writeFileSync(
    join(to, 'README'),
    `tsnspawn is under the LGPL-2.1 or any later version. It was packed with Node, with JavaScript modules (npm-*), and with
files of these Debian packages, whose sources every mirror of Debian has:
${packages.join('')}`,
  );
}

/** Of an unpacked release it lies above bin/, of a distribution's package with the documents. */
function licenceOfNode(node) {
  const prefix = join(dirname(node), '..');
  const places = ['LICENSE', 'share/doc/nodejs/LICENSE', 'share/doc/nodejs/copyright', 'share/doc/node/LICENSE'];
  const found = places.map((place) => join(prefix, place)).find((place) => fs.existsSync(place));
  if (found !== undefined) return found;
  throw new Error(`cannot find the licence of ${node}: it is none of ${places.join(', ')} below ${prefix}`);
}

/** The modules that the bundles are made of, and those whose headers the addon is. */
function licencesOfModules() {
  const found = new Map();
  const queue = ['node-addon-api', 'node-api-headers'];
  for (const dir of fs.readdirSync('packages')) queue.push(...dependenciesOf(join('packages', dir)));
  for (const name of queue) {
    const dir = join('node_modules', name);
    if (found.has(name) || name.startsWith('@tsnspawn/')) continue;
    const file = fs.readdirSync(dir).find((one) => /^(licen[cs]e|copying)/i.test(one)) ?? 'package.json';
    found.set(name, join(dir, file));
    queue.push(...dependenciesOf(dir));
  }
  return found;
}

function dependenciesOf(dir) {
  return Object.keys(JSON.parse(fs.readFileSync(join(dir, 'package.json'), 'utf8')).dependencies ?? {});
}
