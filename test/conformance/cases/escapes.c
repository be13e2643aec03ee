// Ways out of the root, all of which end in it.
#include "case.h"

/// Whether a path leads to the very root of the tree.
static int isRoot(const char* path) {
  struct stat root, other;
  return stat("/", &root) == 0 && stat(path, &other) == 0 && root.st_ino == other.st_ino && root.st_dev == other.st_dev;
}

void escapes(void) {
  SAY("above the root", "%d", isRoot("/.."));
  SAY("far above the root", "%d", isRoot("/../../../../../../../.."));
  SAY("through a link of dots", "%d", (symlink("../../../../../../..", "out"), isRoot("out")));
  SAY("through a link of the root", "%d", (symlink("/..", "above"), isRoot("above")));
  SAY("through procfs", "%d", isRoot("/proc/self/root"));
  SAY("above the root of procfs", "%d", isRoot("/proc/self/root/.."));
  int root = open("/", O_RDONLY | O_DIRECTORY);
  struct stat info, above;
  fstat(root, &info);
  fstatat(root, "..", &above, 0);
  SAY("above the root by a descriptor", "%d", info.st_ino == above.st_ino);
  fchdir(root);
  SAY("above it as the directory", "%d", isRoot(".."));
  chdir("..");
  char text[64];
  SAY("the directory is the root", "%s", getcwd(text, sizeof text));
  chdir(HOME);
  SAY("nothing of the host", "%d", access("/host-only", F_OK));
#if defined(__x86_64__)
  // int $0x80: open("/host-only"), numbered otherwise. A text below 4 GB.
  static char low[] = "/host-only";
  long result = -1;
  if ((unsigned long)low < 0xffffffff) {
    asm volatile("int $0x80" : "=a"(result) : "0"(5), "b"(low), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
  }
  SAY("by a call of 32 bits", "%d", result >= 0);
#endif
  unlink("out"), unlink("above");
  close(root);
}
