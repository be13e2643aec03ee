// Where a patched site comes to, with the number of the call in eax, where it is to return to in rcx, and all else as the guest has it.
// The call is answered here, or made at the site itself, where the tracer is told of it.
#include "ptrace/inprocess/serve.hh"

#if defined(__x86_64__)
asm(R"(
.pushsection .text.head, "ax"
.quad page_entry, page_probe, page_copy, page_copy_end, page_copy_failed, page_opened, page_end
.globl page_entry
page_entry:
# Without a stack this faults, and the tracer has the call made at the site. What lies so far below it is nobody's.
page_probe:
  mov %rax, -1024(%rsp)
# Behind what the guest may use below its stack.
  lea -128(%rsp), %rsp
  pushf
  push %rcx
  push %rax
  push %r9
  push %r8
  push %r10
  push %rdx
  push %rsi
  push %rdi
  push %r15
  push %r14
  push %r13
  push %r12
  push %rbp
  push %rbx
  cld
  mov %rsp, %rdi
  mov %rsp, %rbp
  and $-16, %rsp
  call page_serve
  mov %rbp, %rsp
  pop %rbx
  pop %rbp
  pop %r12
  pop %r13
  pop %r14
  pop %r15
  pop %rdi
  pop %rsi
  pop %rdx
  pop %r10
  pop %r8
  pop %r9
  movabs $0x8000000000000000, %rcx
  cmp %rcx, %rax
  je 1f
  pop %rcx
  pop %rcx
  popf
  lea 128(%rsp), %rsp
  jmp *%rcx
1: pop %rax
  pop %rcx
  popf
  lea 128(%rsp), %rsp
  lea -2(%rcx), %rcx
  jmp *%rcx

.globl page_copy_text
page_copy_text:
  xor %eax, %eax
1: cmp %rdx, %rax
  je 2f
page_copy:
  movzbl (%rsi,%rax), %ecx
  mov %cl, (%rdi,%rax)
page_copy_end:
  test %cl, %cl
  je 2f
  inc %rax
  jmp 1b
2: ret
page_copy_failed:
  mov $-14, %rax
  ret

# openat2(2), which may wait: a signal then finds the frame in r9, and the number of the room in r8.
.globl page_open
page_open:
  mov %rcx, %r10
  mov $437, %eax
  syscall
page_opened:
  ret

.globl memcpy
memcpy:
  mov %rdi, %rax
  mov %rdx, %rcx
  rep movsb
  ret
.globl memset
memset:
  mov %rdi, %r8
  mov %esi, %eax
  mov %rdx, %rcx
  rep stosb
  mov %r8, %rax
  ret
.popsection
)");
#endif
