#include "ptrace/memory.hh"

#include <linux/ptrace.h>

namespace ptrace {

namespace {

constexpr size_t kPage = 4096;

long openMemory(int tid, int flags) {
  sys::Text<32> path("/proc/");
  path.add(static_cast<int64_t>(tid)).add("/mem");
  return sys::open(path.c_str(), flags);
}

long pread(int fd, void* to, size_t n, uint64_t at) { return sys::invoke(__NR_pread64, fd, to, n, at); }

/// Word by word: where /proc/PID/mem cannot be written (before 2.6.39).
bool poke(int tid, uint64_t to, const char* from, size_t n) {
  while (n) {
    uint64_t base = to & ~uint64_t{7}, word = 0;
    size_t skip = to - base, part = sizeof word - skip < n ? sizeof word - skip : n;
    if (part < sizeof word && sys::invoke(__NR_ptrace, PTRACE_PEEKDATA, tid, base, &word) < 0) return false;
    memcpy(reinterpret_cast<char*>(&word) + skip, from, part);
    if (sys::invoke(__NR_ptrace, PTRACE_POKEDATA, tid, base, word) < 0) return false;
    to += part, from += part, n -= part;
  }
  return true;
}

}  // namespace

bool readMemory(int tid, uint64_t from, void* to, size_t n) {
  sys::Iovec local{to, n}, remote{reinterpret_cast<void*>(from), n};
  long got = sys::invoke(__NR_process_vm_readv, tid, &local, 1, &remote, 1, 0);  // 3.2
  if (got == static_cast<long>(n)) return true;
  // Not there, or not for a process that is not dumpable; its tracer may still.
  if (got == -EFAULT) return false;
  sys::UniqueFd memory(openMemory(tid, O_RDONLY));
  return memory.ok() && pread(memory.get(), to, n, from) == static_cast<long>(n);
}

bool writeMemory(int tid, uint64_t to, const void* from, size_t n) {
  sys::Iovec local{const_cast<void*>(from), n}, remote{reinterpret_cast<void*>(to), n};
  long put = sys::invoke(__NR_process_vm_writev, tid, &local, 1, &remote, 1, 0);
  if (put == static_cast<long>(n)) return true;
  if (put == -EFAULT || put >= 0) return false;
  return forceMemory(tid, to, from, n);
}

ForcedMemory::ForcedMemory(int tid) : tid_(tid), file_(openMemory(tid, O_RDWR)) {}

bool ForcedMemory::read(uint64_t from, void* to, size_t n) {
  return (file_.ok() && pread(file_.get(), to, n, from) == static_cast<long>(n)) || readMemory(tid_, from, to, n);
}

bool ForcedMemory::write(uint64_t to, const void* from, size_t n) {
  if (file_.ok() && sys::invoke(__NR_pwrite64, file_.get(), from, n, to) == static_cast<long>(n)) return true;
  return poke(tid_, to, static_cast<const char*>(from), n);
}

long readText(int tid, uint64_t from, char* to, size_t room) {
  for (size_t have = 0; have < room;) {
    // Not across a page: what lies behind the text may not be there.
    size_t part = kPage - ((from + have) & (kPage - 1));
    if (part > room - have) part = room - have;
    if (!readMemory(tid, from + have, to + have, part)) return -EFAULT;
    for (size_t i = have; i < have + part; i++)
      if (!to[i]) return static_cast<long>(i);
    have += part;
  }
  return -ENAMETOOLONG;
}

void* reserve(size_t bytes) {
  constexpr int kNoReserve = 0x4000;  // MAP_NORESERVE
  long address =
      sys::invoke(__NR_mmap, nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | kNoReserve, -1, 0);
  return address < 0 && address > -4096 ? nullptr : reinterpret_cast<void*>(address);
}

void giveBack(void* memory, size_t bytes) { sys::invoke(__NR_munmap, memory, bytes); }

}  // namespace ptrace
