// Errors that end a launch: one class per cause, all with the fields a program needs and the words a person needs.
// Texts are lower case without a full stop; the hint is the next thing to type or to check.

import { describeErrno } from './errno';
import { type FailedStep, hintFor, optionOf, reasonFor, stepInWords } from './explain';

export interface ErrorDetails {
  /** stable name for programs: `EUSAGE`, `ETREE`, or the symbolic errno */
  readonly code?: string;
  readonly syscall?: string;
  readonly path?: string;
  /** the option that was refused, with its dashes */
  readonly option?: string;
  readonly hint?: string;
}

/** Marks the class in every copy of this module: what is loaded on demand brings its own. */
const BRAND = Symbol.for('tsnspawn.error');

/** Base of all errors that are meant for the user; anything else that is thrown is a bug. */
export class TsnspawnError extends Error {
  readonly [BRAND] = true;
  readonly code: string;
  readonly syscall?: string;
  readonly path?: string;
  readonly option?: string;
  readonly hint?: string;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = new.target.name;
    this.code = details.code ?? 'EFAILED';
    if (details.syscall !== undefined) this.syscall = details.syscall;
    if (details.path !== undefined) this.path = details.path;
    if (details.option !== undefined) this.option = details.option;
    if (details.hint !== undefined) this.hint = details.hint;
  }
}

/** The command line, or an option's value, is wrong. */
export class UsageError extends TsnspawnError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: 'EUSAGE', ...details });
  }
}

/** The tree is not there, is no directory, is no operating system tree, or is busy. */
export class TreeError extends TsnspawnError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: 'ETREE', ...details });
  }
}

/** A disk image cannot be used. */
export class ImageError extends TsnspawnError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: 'EIMAGE', ...details });
  }
}

/** A bind source, or another path of the host that was named, cannot be used. */
export class BindError extends TsnspawnError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: 'EBIND', ...details });
  }
}

/** The caller may not do what was asked for. */
export class PermissionError extends TsnspawnError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: 'EPERM', ...details });
  }
}

/** The host has no cgroups that the guest's init could work with. */
export class CgroupError extends TsnspawnError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: 'ECGROUP', ...details });
  }
}

/** An interface, a port or a network namespace of the host cannot be used. */
export class NetworkError extends TsnspawnError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: 'ENETWORK', ...details });
  }
}

/** This kernel or architecture lacks something that was asked for by name. */
export class UnsupportedError extends TsnspawnError {
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { code: 'ENOTSUP', ...details });
  }
}

/** A step of the plan failed in the runner. `code` is the symbolic errno. */
export class StepError extends TsnspawnError {
  readonly step: FailedStep;
  readonly errno: number;

  /**
   * @param step what was being done; the making of the guest itself counts as the step `clone`
   * @param errno number as the kernel gave it; the sign does not count
   * @param path what it was about, when that is not plain from the step (the command that was not found)
   */
  constructor(step: FailedStep, errno: number, path?: string) {
    const { name, text } = describeErrno(errno);
    const hint = hintFor(step, name, path);
    const option = optionOf(step);
    super(`cannot ${stepInWords(step, path)}: ${reasonFor(step, name, path) ?? text}`, {
      code: name,
      syscall: step.op,
      ...(path === undefined || path === '' ? {} : { path }),
      ...(option === undefined ? {} : { option }),
      ...(hint === undefined ? {} : { hint }),
    });
    this.step = step;
    this.errno = Math.abs(errno);
  }
}

/** Whether an error is meant for the user, whichever part of the program it comes from. */
export function isTsnspawnError(error: unknown): error is TsnspawnError {
  return error instanceof Error && BRAND in error;
}

/** `tsnspawn: message`, with the option before it where the message does not name it itself, and a second line `hint: ...` where there is one; ends with a newline. */
export function formatError(error: TsnspawnError, hint = error.hint): string {
  const { option, message } = error;
  const about = option === undefined || message.includes(option) ? '' : `${option}: `;
  const first = `tsnspawn: ${about}${message}\n`;
  return hint === undefined ? first : `${first}hint: ${hint}\n`;
}
