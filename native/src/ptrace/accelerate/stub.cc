#include "ptrace/accelerate/stub.hh"

#if defined(__x86_64__)
asm(R"(
.pushsection .rodata.stub, "a"
.globl tsnspawn_stub_start, tsnspawn_stub_end, tsnspawn_stub_loader, tsnspawn_stub_trap, tsnspawn_stub_code_end
tsnspawn_stub_start:
  syscall
  pop %rdi
  pop %rsi
  pop %rdx
  pop %r10
  pop %r8
  pop %r9
  pop %rcx
  pop %rsp
  jmp *%rcx
tsnspawn_stub_end:
.balign 64
tsnspawn_stub_loader:
1: mov (%rbx), %rax
  cmp $-1, %rax
  je 9f
  cmp $-2, %rax
  je 5f
  mov 8(%rbx), %rdi
  mov 16(%rbx), %rsi
  mov 24(%rbx), %rdx
  mov 32(%rbx), %r10
  mov 40(%rbx), %r8
  mov 48(%rbx), %r9
  testb $1, 56(%rbx)
  jz 2f
  mov %r12, %r8
2: testb $2, 56(%rbx)
  jz 3f
  mov %r12, %rdi
3: syscall
  testb $8, 56(%rbx)
  jnz 4f
  cmp $-4095, %rax
  jae 8f
4: testb $4, 56(%rbx)
  jz 7f
  mov %rax, %r12
7: add $64, %rbx
  jmp 1b
5: mov 8(%rbx), %rdi
  mov 16(%rbx), %rcx
  xor %eax, %eax
  rep stosb
  jmp 7b
8: mov $127, %edi
  mov $231, %eax
  syscall
9: mov 8(%rbx), %rcx
  xor %eax, %eax
  xor %ebx, %ebx
  xor %edx, %edx
  xor %esi, %esi
  xor %edi, %edi
  xor %ebp, %ebp
  xor %r8d, %r8d
  xor %r9d, %r9d
  xor %r10d, %r10d
  xor %r11d, %r11d
  xor %r12d, %r12d
  xor %r13d, %r13d
  xor %r14d, %r14d
  xor %r15d, %r15d
  jmp *%rcx
tsnspawn_stub_trap:
  int3
tsnspawn_stub_code_end:
.popsection
)");
#elif defined(__aarch64__)
// No stub (kHasStub), and the loader ends in the trap in any case.
asm(R"(
.pushsection .rodata.stub, "a"
.globl tsnspawn_stub_start, tsnspawn_stub_end, tsnspawn_stub_loader, tsnspawn_stub_trap, tsnspawn_stub_code_end
tsnspawn_stub_start:
tsnspawn_stub_end:
tsnspawn_stub_loader:
1: ldr x8, [x19]
  cmn x8, #1
  b.eq tsnspawn_stub_trap
  cmn x8, #2
  b.eq 5f
  ldp x0, x1, [x19, #8]
  ldp x2, x3, [x19, #24]
  ldp x4, x5, [x19, #40]
  ldr x9, [x19, #56]
  tbz x9, #0, 2f
  mov x4, x20
2: tbz x9, #1, 3f
  mov x0, x20
3: svc #0
  tbnz x9, #3, 4f
  cmn x0, #4095
  b.hs 8f
4: tbz x9, #2, 7f
  mov x20, x0
7: add x19, x19, #64
  b 1b
5: ldp x0, x1, [x19, #8]
0: cbz x1, 7b
  strb wzr, [x0], #1
  sub x1, x1, #1
  b 0b
8: mov x0, #127
  mov x8, #94
  svc #0
tsnspawn_stub_trap:
  brk #0
tsnspawn_stub_code_end:
.popsection
)");
#endif
