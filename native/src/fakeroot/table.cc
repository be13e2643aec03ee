#include "fakeroot/table.hh"

#include "sys/kernel.hh"

namespace fakeroot {

static constexpr Table makeTable() {
  Table table{};
#define CALL(name, handler, form) table.rows[__NR_##name] = {handler, form};
#define CALL_IF(name, handler, form, ...) CALL(name, handler, form)
#include "fakeroot/native-calls.def"
#undef CALL_IF
#undef CALL
  return table;
}

extern const Table kNativeTable;
constexpr Table kNativeTable = makeTable();

}  // namespace fakeroot
