// Raw system calls. The runner has no libc: a static binary of a few pages starts in microseconds, keeps a waiting
// monitor small, and never runs code of the tree it enters. Every call returns the kernel's value: -errno on failure.
#pragma once

#include <asm/unistd.h>

namespace sys {

#if defined(__x86_64__)

inline long call(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  long result;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

inline long call(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  register long x8 asm("x8") = nr;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  register long x5 asm("x5") = f;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}

#else
#error "no system call convention for this architecture"
#endif

template <typename T>
inline long arg(T* pointer) {
  return reinterpret_cast<long>(pointer);
}
template <typename T>
inline long arg(T number) {
  return static_cast<long>(number);
}
inline long arg(decltype(nullptr)) { return 0; }

/// call() with pointers and integers of any width.
template <typename... Args>
inline long invoke(long nr, Args... args) {
  return call(nr, arg(args)...);
}

}  // namespace sys
