#include "ptrace/accelerate/filter.hh"

#include <linux/seccomp.h>

#include "ptrace/compat.hh"
#include "ptrace/inprocess/page.hh"

namespace ptrace {

namespace {

constexpr unsigned kTrace = SECCOMP_RET_TRACE | kOurs;

class Program {
 public:
  Program(sock_filter* to, bool fakeIds, bool boots, bool carries)
      : to_(to), fakeIds_(fakeIds), boots_(boots), carries_(carries) {}

  unsigned write() {
    load(offsetof(seccomp_data, arch));
    jump(BPF_JEQ, kNativeArchitecture, 1, 0);
    unsigned other = size_++;
    load(offsetof(seccomp_data, nr));
    constexpr uint8_t kTellSize = 7;
    jump(BPF_JGT, kHighest, 0, 4 + kTellSize);
    jump(BPF_JEQ, kStepCall, 0, 1);
    answer(kTrace);
    jump(BPF_JEQ, kGetxattrat, 0, kTellSize);
    tell(SECCOMP_RET_ERRNO | ENOSYS);
    answer(SECCOMP_RET_ERRNO | ENOSYS);
    search(0, kHighest);
    to_[other] = BPF_STMT(BPF_JMP | BPF_JA, size_ - other - 1);
    writeCompat();
    return size_;
  }

 private:
  /// A program of another kind of this machine, whose calls have other numbers.
  void writeCompat() {
    if (kCompatArchitecture) {
      jump(BPF_JEQ, kCompatArchitecture, 1, 0);
      answer(SECCOMP_RET_ERRNO | ENOSYS);
      load(offsetof(seccomp_data, nr));
      jump(BPF_JGT, kHighest, 0, 1);
      answer(SECCOMP_RET_ERRNO | ENOSYS);
      table_ = &kCompatTable;
      code_ = kCompatRegion;
      codeSize_ = kCompatCodeSize;
      search(0, kHighest);
      return;
    }
    answer(SECCOMP_RET_ERRNO | ENOSYS);
  }

  enum class Class { kAllow, kRefuse, kDeny, kTell, kNotify, kAsk };

  Class classOf(unsigned number) const {
    const Row& row = table_->rows[number];
    if (!row.handler || row.when == When::kOld || (row.when == When::kFakeIds && !fakeIds_) ||
        (row.when == When::kBoot && !boots_) || (row.when == When::kCarried && !carries_))
      return Class::kAllow;
    if (row.handler == refuse) return Class::kRefuse;
    if (row.handler == deny) return Class::kDeny;
    if (row.when == When::kBits || row.when == When::kValue) return Class::kAsk;
    // What programs of 32 bits have in memory is not what the tracer would give the kernel.
    return carries_ && table_ == &kTable && !row.stops ? Class::kNotify : Class::kTell;
  }

  /// The numbers from `low` to `high`: what holds for all of them, or a half of them first.
  void search(unsigned low, unsigned high) {
    unsigned run = low;
    while (run < high && classOf(run + 1) == classOf(low) && classOf(low) != Class::kAsk) run++;
    if (run == high) return leaf(low);
    unsigned middle = low + (high - low) / 2 + 1;
    jump(BPF_JGE, middle, 0, 1);
    unsigned far = size_;
    to_[size_++] = BPF_STMT(BPF_JMP | BPF_JA, 0);
    search(low, middle - 1);
    to_[far].k = size_ - far - 1;
    search(middle, high);
  }

  void leaf(unsigned number) {
    const Row& row = table_->rows[number];
    switch (classOf(number)) {
      case Class::kAllow:
        return answer(SECCOMP_RET_ALLOW);
      case Class::kRefuse:
        return answer(SECCOMP_RET_ERRNO | ENOSYS);
      case Class::kDeny:
        return answer(SECCOMP_RET_ERRNO | EPERM);
      case Class::kTell:
        return tell(kTrace);
      case Class::kNotify:
        return tell(SECCOMP_RET_USER_NOTIF);
      case Class::kAsk:
        break;
    }
    unsigned at = offsetof(seccomp_data, args) + row.argument * 8;
    load(at);
    if (row.when == When::kValue) {
      jump(BPF_JEQ, row.value, 1, 0);
    } else if (row.value == 0xffffffff) {
      jump(BPF_JSET, row.value, 3, 0);
      load(at + 4);
      jump(BPF_JSET, row.value, 1, 0);
    } else {
      jump(BPF_JSET, row.value, 1, 0);
    }
    answer(SECCOMP_RET_ALLOW);
    tell(kTrace);
  }

  /// Unless it is the stub that makes the call: the tracer has seen it already.
  void tell(uint32_t how) {
    load(offsetof(seccomp_data, instruction_pointer) + 4);
    jump(BPF_JEQ, static_cast<uint32_t>(code_ >> 32), 0, 4);
    load(offsetof(seccomp_data, instruction_pointer));
    to_[size_++] = BPF_STMT(BPF_ALU | BPF_AND | BPF_K, static_cast<uint32_t>(~(codeSize_ - 1)));
    jump(BPF_JEQ, static_cast<uint32_t>(code_), 0, 1);
    answer(SECCOMP_RET_ALLOW);
    answer(how);
  }

  void load(unsigned at) { to_[size_++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at); }
  void jump(unsigned how, uint32_t value, uint8_t yes, uint8_t no) {
    to_[size_++] = sock_filter{static_cast<uint16_t>(BPF_JMP | how | BPF_K), yes, no, value};
  }
  void answer(uint32_t value) { to_[size_++] = BPF_STMT(BPF_RET | BPF_K, value); }

  sock_filter* to_;
  const Table* table_ = &kTable;
  uint64_t code_ = kRegion, codeSize_ = kCodeSize;
  bool fakeIds_, boots_, carries_;
  unsigned size_ = 0;
};

}  // namespace

unsigned makeFilter(bool fakeIds, bool boots, bool carries, sock_filter (&to)[kMostInstructions]) {
  return Program(to, fakeIds, boots, carries).write();
}

}  // namespace ptrace
