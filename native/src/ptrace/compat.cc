#include "ptrace/compat.hh"

#include "ptrace/request.hh"

namespace ptrace {

static_assert(Memory::kSlots * kCompatStubSize == 0x1000);

#if defined(__x86_64__)

bool isCompat(const Tracee& tracee, const Registers& registers) {
  if (registers.narrow()) return true;
  if (registers.fast()) return false;
  constexpr unsigned char kInterrupt = 0xcd;
  unsigned char code[kCallSize];
  return readMemory(tracee.tid, registers.ip() - kCallSize, code, sizeof code) && code[0] == kInterrupt;
}

bool runsNarrow() {
  static int known = -1;
  if (known >= 0) return known;
  constexpr int kYes = 42;
  long child = sys::call(__NR_clone, SIGCHLD);
  if (child == 0) {
    // exit(2). A kernel without that gate raises a signal, and a filter may refuse.
    asm volatile("int $0x80" : : "a"(1), "b"(kYes) : "memory");
    sys::invoke(__NR_exit_group, 0);
  }
  int status = 0;
  known = child > 0 && sys::wait(child, &status, 0) == child && status == kYes << 8;
  return known;
}

namespace {

void mapped(Call& call) {
  Memory& memory = *call.tracee.memory;
  if (call.result() < 0) return;
  memory.compatSlots = static_cast<uint64_t>(call.result());
  // Again, from the start.
  call.registers.begin(call.tracee.saved);
}

}  // namespace

Answer mapSlots(Call& call) {
  constexpr uint64_t kNoReserve = 0x4000;  // MAP_NORESERVE
  const uint64_t arguments[] = {
      0, kSlotSize * Memory::kSlots, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | kNoReserve, ~uint64_t{0}, 0};
  call.registers.setNumber(kCompatMmap);
  for (int i = 0; i < 6; i++) call.setArgument(i, arguments[i]);
  call.then(mapped);
  return Answer::proceed();
}

bool writeCompatCode(ForcedMemory& to) {
  static unsigned char code[kCompatCodeSize];
  memcpy(code, tsnspawn_compat_start, static_cast<size_t>(tsnspawn_compat_end - tsnspawn_compat_start));
  // int $0x80; pop %ebx, %ecx, %edx, %esi, %edi, %ebp, %esp; jmp *(the record's ip): no register is lost
  constexpr unsigned char kCode[] = {0xcd, 0x80, 0x5b, 0x59, 0x5a, 0x5e, 0x5f, 0x5d, 0x5c, 0xff, 0x25};
  for (unsigned i = 0; i < Memory::kSlots; i++) {
    unsigned char* stub = code + (kCompatStubs - kCompatRegion) + i * kCompatStubSize;
    auto from = static_cast<uint32_t>(kCompatSlots + i * kSlotSize + offsetof(CompatRecord, ip));
    memcpy(stub, kCode, sizeof kCode);
    memcpy(stub + sizeof kCode, &from, sizeof from);
  }
  return to.write(kCompatRegion, code, sizeof code);
}

// The loader of accelerate/stub.cc for 32 bits. The list of calls is its stack, since all registers are those of a call; what it has to
// keep lies behind the list (kCompatCells).
asm(R"(
.pushsection .rodata.stub, "a"
.code32
.globl tsnspawn_compat_start, tsnspawn_compat_trap, tsnspawn_compat_end
tsnspawn_compat_start:
1: pop %eax
  cmp $-1, %eax
  je 9f
  cmp $-2, %eax
  je 5f
  pop %ebx
  pop %ecx
  pop %edx
  pop %esi
  pop %edi
  pop %ebp
  testb $1, (%esp)
  jz 2f
  mov 0xa000a000, %edi
2: testb $2, (%esp)
  jz 3f
  mov 0xa000a000, %ebx
3: int $0x80
  testb $8, (%esp)
  jnz 4f
  cmp $-4095, %eax
  jae 8f
4: testb $4, (%esp)
  jz 7f
  mov %eax, 0xa000a000
7: pop %eax
  jmp 1b
5: pop %edi
  pop %ecx
  xor %eax, %eax
  rep stosb
  add $20, %esp
  jmp 1b
8: mov $127, %ebx
  mov $252, %eax
  int $0x80
9: xor %eax, %eax
  xor %ebx, %ebx
  xor %ecx, %ecx
  xor %edx, %edx
  xor %esi, %esi
  xor %edi, %edi
  xor %ebp, %ebp
  mov 0xa000a004, %esp
  jmp *0xa000a008
tsnspawn_compat_trap:
  int3
tsnspawn_compat_end:
.code64
.popsection
)");

#else

bool isCompat(const Tracee&, const Registers&) { return false; }
bool runsNarrow() { return false; }
Answer mapSlots(Call&) { return Answer::give(-ENOSYS); }
bool writeCompatCode(ForcedMemory&) { return false; }

#endif

}  // namespace ptrace
