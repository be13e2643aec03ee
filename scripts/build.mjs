// The whole build, each part only when something it is made from has changed:
//   types   tsc -b                 packages/*/dist, and the type check of test/
//   native  make -C native         packages/native/build
//   bundle  esbuild                packages/cli/dist/tsnspawn.cjs (the launch path), image.cjs and oci.cjs (what it needs of disk images
//                          and OCI bundles), refusal.cjs (what it says when the kernel refuses) and verbs.cjs (every other command)
//   image   scripts/image.cjs      packages/cli/dist/tsnspawn.image, the launch path with its byte code; after the others
// The bundles are made from the TypeScript sources, not from tsc's output: only so can esbuild leave out what the launch does not use.
// usage: node scripts/build.mjs [types|native|bundle]...

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const packages = readdirSync('packages').map((name) => join('packages', name));
const sources = packages.flatMap((dir) => files(join(dir, 'src')));
const manifests = ['package-lock.json', 'scripts/build.mjs', ...packages.map((dir) => join(dir, 'package.json'))];
const tsconfigs = [
  'tsconfig.json',
  'tsconfig.base.json',
  'test/tsconfig.json',
  ...packages.map((dir) => join(dir, 'tsconfig.json')),
];

const parts = {
  types: {
    inputs: () => [...sources, ...files('test').filter((file) => file.endsWith('.ts')), ...manifests, ...tsconfigs],
    outputs: packages.map((dir) => join(dir, 'dist/index.js')),
    // tsc trusts its notes (*.tsbuildinfo) without a look at what they are about: a dist/ that was removed would stay away.
    run: (complete) => command('node_modules/.bin/tsc', complete ? ['-b'] : ['-b', '--force']),
  },
  native: {
    // make knows best what has changed: it is asked every time, and needs a few milliseconds to say "nothing".
    run: () => command('make', ['-s', '-C', 'native', '-j2']),
  },
  bundle: {
    inputs: () => [...sources, ...manifests],
    outputs: ['tsnspawn', 'verbs', 'image', 'oci', 'refusal'].map((name) => `packages/cli/dist/${name}.cjs`),
    run: bundle,
  },
  image: {
    inputs: () => [
      'packages/cli/dist/tsnspawn.cjs',
      'packages/cli/bin/tsnspawn.cjs',
      'scripts/image.cjs',
      process.execPath,
    ],
    outputs: ['packages/cli/dist/tsnspawn.image'],
    run: () => command(process.execPath, ['scripts/image.cjs']),
  },
};

/** Bundles packages/cli/src/main.ts and verbs.ts; the launch bundle reaches the other one only through a require at run time. */
async function bundle() {
  const { build } = await import('esbuild');
  const alias = Object.fromEntries(
    packages
      .map((dir) => [JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')).name, resolve(dir, 'src/index.ts')])
      .filter(([name]) => name.startsWith('@tsnspawn/')),
  );
  const make = (name, source, options) =>
    build({
      entryPoints: { [name]: source },
      outdir: 'packages/cli/dist',
      outExtension: { '.js': '.cjs' },
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node20',
      alias,
      external: ['./verbs.cjs', './image.cjs', './oci.cjs', './refusal.cjs', '*.node'],
      logLevel: 'warning',
      ...options,
    });
  // The launch bundle is read whole at every start, and packages/cli/bin/tsnspawn.cjs compiles it as this function.
  const launch = {
    minify: true,
    banner: { js: '(function (exports, require, module, __filename, __dirname) {' },
    footer: { js: '})' },
  };
  const made = [
    make('tsnspawn', 'packages/cli/src/main.ts', launch),
    make('verbs', 'packages/cli/src/verbs.ts', {}),
    make('image', 'packages/runtime/src/image/index.ts', { minify: true }),
    make('oci', 'packages/cli/src/oci.ts', { minify: true }),
    make('refusal', 'packages/runtime/src/doctor/refusal.ts', { minify: true }),
  ];
  return (await Promise.allSettled(made)).every(({ status }) => status === 'fulfilled');
}

function command(file, args) {
  return new Promise((done) => {
    const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', (error) => {
      console.error(`build: ${file}: ${error.message}`);
      done(false);
    });
    child.on('close', (code) => done(code === 0));
  });
}

/** All files below a directory, sorted. */
function files(dir) {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/** What the inputs look like now; also a file that went away changes it. */
function fingerprint(inputs) {
  const hash = createHash('sha256');
  for (const file of inputs) {
    const stat = statSync(file, { throwIfNoEntry: false });
    hash.update(`${file}\0${stat?.mtimeMs}\0${stat?.size}\n`);
  }
  return hash.digest('hex');
}

async function make(name) {
  const { inputs, outputs = [], run } = parts[name];
  const stamp = join('build/stamps', name);
  const now = inputs && fingerprint(inputs());
  const complete = outputs.every((file) => existsSync(file));
  if (now && complete && existsSync(stamp) && readFileSync(stamp, 'utf8') === now) return true;
  const done = await run(complete);
  if (!done) console.error(`build: ${name} failed`);
  // The fingerprint was taken before the work began: a file saved meanwhile is built next time.
  if (now && done) {
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, now);
  }
  return done;
}

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(parts, name));
if (unknown) {
  console.error(`build: no part named ${unknown}; there are: ${Object.keys(parts).join(', ')}`);
  process.exit(1);
}
// One failing part does not stop the others: one run names every error.
const results = await Promise.all(
  (asked.length > 0 ? asked : Object.keys(parts).filter((name) => name !== 'image')).map(make),
);
// The byte code is made by running the bundle with the addon, so both must be there.
if (asked.length === 0 && results.every(Boolean)) results.push(await make('image'));
process.exitCode = results.every(Boolean) ? 0 : 1;
