// ELF files, as far as an exec has to know them.
#pragma once

#include "ptrace/exec.hh"

namespace ptrace {

#if defined(__x86_64__)
constexpr unsigned kMachine = 62;       // EM_X86_64
constexpr unsigned kNarrowMachine = 3;  // EM_386
#elif defined(__aarch64__)
constexpr unsigned kMachine = 183;  // EM_AARCH64
constexpr unsigned kNarrowMachine = 0;
#endif

/// Reads the headers of a program for this machine. -ENOEXEC where it is none.
long readProgram(int file, Program& program);
/// What has been read of this file before, if it has not been changed since; else null.
const Program* keptProgram(const struct statx& info);
/// Keeps it, for some of the files. `info` is from before it was read, and the file was settled then: fakeroot::isSettled().
void keepProgram(const struct statx& info, const Program& program);
/// The machine (EM_*) that a program is for, or -ENOEXEC.
long machineOf(int file);

}  // namespace ptrace
