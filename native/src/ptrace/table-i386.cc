// The numbers of 32-bit programs have the names of the others: they are known to this file alone.
#define CALLS_OF_I386
#include "ptrace/table.hh"

#if defined(__x86_64__)
#include <asm/unistd_32.h>
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452  // 6.6
#endif

namespace ptrace {

namespace {

constexpr Table make() {
  Table table{};
#if defined(__x86_64__)
#define CALL_WHEN(name, ...) table.rows[__NR_##name] = {__VA_ARGS__};
#define CALL(name, handler, form) CALL_WHEN(name, handler, form, When::kAlways, 0, 0)
#define CALL_STOP(name, handler, form) CALL(name, handler, form)
#define CALL_CARRIED(name, handler, form) CALL_WHEN(name, handler, form, When::kCarried, 0, 0)
#define CALL_FAKE(name, handler, form) CALL_WHEN(name, handler, form, When::kFakeIds, 0, 0)
#define CALL_BOOT(name, handler, form) CALL_WHEN(name, handler, form, When::kBoot, 0, 0)
#define CALL_OLD(name, handler, form) CALL_WHEN(name, handler, form, When::kOld, 0, 0)
#define CALL_BITS(name, handler, form, argument, bits) CALL_WHEN(name, handler, form, When::kBits, argument, bits)
#define CALL_ADDRESS(name, handler, form, argument) CALL_BITS(name, handler, form, argument, 0xffffffffu)
#define CALL_VALUE(name, handler, form, argument, value) CALL_WHEN(name, handler, form, When::kValue, argument, value)
#include "ptrace/syscalls-i386.def"
#include "ptrace/syscalls.def"
#endif
  return table;
}

}  // namespace

constexpr Table kCompatTable = make();

}  // namespace ptrace
