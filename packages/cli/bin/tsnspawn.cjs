#!/usr/bin/env node
// Runs the launch bundle from an image that the build made of it (scripts/image.cjs): the source and, behind it, the byte code
// that V8 made of it. To compile it anew takes a tenth of the time of a short command, to read a second file a hundredth. V8
// itself refuses byte code of another version of V8, and then compiles.
'use strict';

const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Script } = require('node:vm');

const dist = join(__dirname, '../dist');

/** The bundle, a function of the usual five names of a module, from its source and perhaps its byte code. */
function compile(source, cachedData) {
  return new Script(source, { filename: join(dist, 'tsnspawn.cjs'), cachedData });
}

/** What the bundle exports. */
function run(script) {
  const module = { exports: {} };
  const load = (id) => require(id.startsWith('./') ? join(dist, id) : id);
  script.runInThisContext()(module.exports, load, module, script.filename, dist);
  return module.exports;
}

/** The image: the length of the source in four bytes, the source in ASCII, the byte code. */
function readImage() {
  const image = readFileSync(join(dist, 'tsnspawn.image'));
  const end = 4 + image.readUInt32LE(0);
  return compile(image.latin1Slice(4, end), image.subarray(end));
}

if (require.main === module) {
  let script;
  try {
    script = readImage();
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    process.stderr.write('tsnspawn: it has not been built yet\nhint: npm run build\n');
    process.exit(1);
  }
  run(script).main(process.argv.slice(2));
} else {
  module.exports = { compile, run, dist };
}
