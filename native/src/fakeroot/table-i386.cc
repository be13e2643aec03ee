// The numbers of 32-bit programs have the names of the others: they are known to this file alone.
#include "fakeroot/table.hh"

#if defined(__x86_64__)
#include <asm/unistd_32.h>
#endif

namespace fakeroot {

static constexpr Table makeTable() {
  Table table{};
#if defined(__x86_64__)
#define CALL(name, handler, form) table.rows[__NR_##name] = {handler, form};
#define CALL_IF(name, handler, form, ...) CALL(name, handler, form)
#include "fakeroot/i386-calls.def"
#undef CALL_IF
#undef CALL
#endif
  return table;
}

extern const Table kCompatTable;
constexpr Table kCompatTable = makeTable();

}  // namespace fakeroot
