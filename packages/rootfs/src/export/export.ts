// A tree to a tar archive, with the owners that its files have in the tree.
import * as path from 'node:path';
import { describeErrno } from '@tsnspawn/core';
import { addon } from '@tsnspawn/native';
import { releaseLock, takeLock } from '@tsnspawn/runtime';
import { BootstrapError, errorCode, reasonOf } from '../errors';
import { archiveOf } from './members';
import { type Compression, compressionOf, Output } from './output';
import { ownersOf } from './owners';

export interface ExportOptions {
  readonly directory: string;
  /** standard output without one */
  readonly file?: string | undefined;
  /** by default what the file's name says */
  readonly compression?: Compression | undefined;
  /** hears of what is left out */
  readonly note: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Write a tree to an archive. Rejects with a BootstrapError, or the error of a tree that is in use; then no file was left.
 */
export async function exportTree(options: ExportOptions): Promise<void> {
  const { directory, file, note, signal } = options;
  const compression = options.compression ?? compressionOf(file ?? '');
  if (file === undefined && addon().isTerminal(1)) {
    throw new BootstrapError('TARGET_INVALID', 'an archive is not written to a terminal', {
      hint: `name a file: tsnspawn export ${directory} FILE.tar.zst`,
    });
  }
  const opened = addon().openTree(directory);
  if (typeof opened === 'number') {
    const reason = describeErrno(opened).text;
    throw new BootstrapError('READ_FAILED', `cannot export ${directory}: ${reason}`, { path: directory });
  }
  addon().closeFd(opened.fd);
  // Machines that only read it may go on.
  const lock = takeLock({ tree: opened, readOnly: true });
  try {
    const output = file === undefined ? Output.standard() : Output.file(file);
    if (output.directory !== undefined && isBelow(output.directory, opened.path)) {
      output.abandon();
      throw new BootstrapError('TARGET_INVALID', `cannot write ${file}: it would lie in the tree itself`, {
        path: file,
        hint: 'choose a file beside the tree',
      });
    }
    const pieces = archiveOf(lock.lockFd, ownersOf(lock.lockFd, opened.path, note), note);
    await output.write(pieces, compression, signal);
  } catch (error) {
    throw readable(error, directory);
  } finally {
    releaseLock(lock);
  }
}

function readable(error: unknown, directory: string): unknown {
  if (error instanceof BootstrapError || errorCode(error) === undefined) return error;
  return new BootstrapError('READ_FAILED', `cannot export ${directory}: ${reasonOf(error)}`, { path: directory });
}

function isBelow(directory: string, tree: string): boolean {
  return directory === tree || directory.startsWith(tree === '/' ? '/' : `${tree}${path.sep}`);
}
