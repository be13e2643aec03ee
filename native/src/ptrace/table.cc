#include "ptrace/table.hh"

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452  // 6.6
#endif

namespace ptrace {

namespace {

constexpr void put(Table& table, unsigned number, Row row) { table.rows[number] = row; }

constexpr Table make() {
  Table table{};
#define CALL(name, handler, form) put(table, __NR_##name, {handler, form, When::kAlways, 0, 0});
#define CALL_STOP(name, handler, form) put(table, __NR_##name, {handler, form, When::kAlways, 0, 0, true});
#define CALL_CARRIED(name, handler, form) put(table, __NR_##name, {handler, form, When::kCarried, 0, 0, true});
#define CALL_FAKE(name, handler, form) put(table, __NR_##name, {handler, form, When::kFakeIds, 0, 0});
#define CALL_BOOT(name, handler, form) put(table, __NR_##name, {handler, form, When::kBoot, 0, 0});
#define CALL_OLD(name, handler, form) put(table, __NR_##name, {handler, form, When::kOld, 0, 0});
#define CALL_BITS(name, handler, form, argument, bits) \
  put(table, __NR_##name, {handler, form, When::kBits, argument, bits, true});
#define CALL_ADDRESS(name, handler, form, argument) \
  put(table, __NR_##name, {handler, form, When::kBits, argument, 0xffffffffu, true});
#define CALL_VALUE(name, handler, form, argument, value) \
  put(table, __NR_##name, {handler, form, When::kValue, argument, value, true});
#include "ptrace/syscalls.def"
  // What tracers of the guest ask and wait for has to do with stops.
  table.rows[__NR_ptrace].stops = table.rows[__NR_wait4].stops = table.rows[__NR_waitid].stops = true;
  return table;
}

}  // namespace

constexpr Table kTable = make();

// cachestat (6.5): what came after it takes paths in ways that the table does not know.
const unsigned kHighest = 452;

}  // namespace ptrace
