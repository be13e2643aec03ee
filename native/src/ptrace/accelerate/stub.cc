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
  testb $16, 56(%rbx)
  jz 6f
  mov %rax, 8(%rbx)
6: testb $8, 56(%rbx)
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
#endif
