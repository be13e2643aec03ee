// Changes owners and looks at them as a 32-bit program on x86 does: by the gate, the numbers and the structures of those.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static long compat(long nr, long a, long b, long c, long d, long e) {
  long result;
  __asm__ volatile("int $0x80"
                   : "=a"(result)
                   : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
                   : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
}

enum { CREAT = 8, CHOWN16 = 182, LCHOWN16 = 16, STAT64 = 195, LSTAT64, FSTAT64, LCHOWN32 = 198, FCHOWN32 = 207, CHOWN32 = 212 };
enum { SETRESUID32 = 208, SETRESGID32 = 210, SOCKETCALL = 102 };
enum { FSTATAT64 = 300, FCHOWNAT = 298, STATX = 383, SYMLINK = 83, MKDIR = 39, MKNOD = 14, HERE = -100, NOFOLLOW = 0x100 };

static unsigned char answer[128];
static struct statx extended;
// Where 32 bits reach.
static char file[] = "compat-file", linked[] = "compat-link", node[] = "compat-node", empty[] = "";

static uint32_t word(int at) {
  uint32_t value;
  memcpy(&value, answer + at, sizeof value);
  return value;
}

static int failures;
static void check(const char* what, long result, uint32_t uid, uint32_t gid) {
  if (result == 0 && word(24) == uid && word(28) == gid) return;
  printf("%s: %ld %u:%u\n", what, result, word(24), word(28));
  failures++;
}

/// By the one call with its arguments in memory, that older C libraries make all of these by.
static void checkSockets(void) {
  static struct sockaddr_un address = {AF_UNIX, "compat-socket"};
  static struct ucred peer;
  static socklen_t size = sizeof peer;
  static uint32_t arguments[5];
  int ends[2], fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct stat st;
  compat(SETRESGID32, 1001, 1001, 1001, 0, 0);
  compat(SETRESUID32, 1000, 1000, 1000, 0, 0);
  uint32_t bind[] = {(uint32_t)fd, (uint32_t)(uintptr_t)&address, sizeof address};
  memcpy(arguments, bind, sizeof bind);
  long result = compat(SOCKETCALL, 2, (long)arguments, 0, 0, 0);
  if (result || lstat("compat-socket", &st) || st.st_uid != 1000) failures++, printf("bind: %ld\n", result);
  socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
  uint32_t ask[] = {(uint32_t)ends[0], SOL_SOCKET, SO_PEERCRED, (uint32_t)(uintptr_t)&peer, (uint32_t)(uintptr_t)&size};
  memcpy(arguments, ask, sizeof ask);
  result = compat(SOCKETCALL, 15, (long)arguments, 0, 0, 0);
  if (result || peer.uid != 1000 || peer.gid != 1001) failures++, printf("peer: %ld %u:%u\n", result, peer.uid, peer.gid);
}

int main(void) {
  long fd = compat(CREAT, (long)file, 0644, 0, 0, 0);
  compat(SYMLINK, (long)file, (long)linked, 0, 0, 0);
  check("untouched", compat(STAT64, (long)file, (long)answer, 0, 0, 0), 0, 0);
  compat(CHOWN32, (long)file, 70000, 80000, 0, 0);
  check("chown32", compat(STAT64, (long)file, (long)answer, 0, 0, 0), 70000, 80000);
  check("through the link", compat(STAT64, (long)linked, (long)answer, 0, 0, 0), 70000, 80000);
  compat(CHOWN16, (long)linked, 5, 0xffff, 0, 0);
  check("chown16", compat(FSTAT64, fd, (long)answer, 0, 0, 0), 5, 80000);
  compat(LCHOWN32, (long)linked, 6, 7, 0, 0);
  check("lchown32", compat(LSTAT64, (long)linked, (long)answer, 0, 0, 0), 6, 7);
  compat(LCHOWN16, (long)linked, 8, 9, 0, 0);
  check("lchown16", compat(FSTATAT64, HERE, (long)linked, (long)answer, NOFOLLOW, 0), 8, 9);
  compat(FCHOWN32, fd, 10, 11, 0, 0);
  check("fchown32", compat(FSTATAT64, HERE, (long)file, (long)answer, 0, 0), 10, 11);
  compat(FCHOWNAT, fd, (long)empty, 12, 13, 0x1000);
  check("fchownat", compat(STAT64, (long)file, (long)answer, 0, 0, 0), 12, 13);
  if (compat(STATX, HERE, (long)file, 0, STATX_BASIC_STATS, (long)&extended) || extended.stx_uid != 12) failures++, puts("statx");
  compat(MKNOD, (long)node, S_IFBLK | 0600, 7 << 8 | 1, 0, 0);
  long result = compat(STAT64, (long)node, (long)answer, 0, 0, 0);
  if (result || (word(16) & S_IFMT) != S_IFBLK || word(32) != (7 << 8 | 1)) failures++, printf("mknod: %ld %o %x\n", result, word(16), word(32));
  struct stat same;
  uint64_t inode;
  memcpy(&inode, answer + 88, sizeof inode);
  if (lstat(node, &same) || same.st_ino != inode || word(72) != (uint32_t)same.st_mtime) failures++, puts("layout");
  checkSockets();
  if (!failures) puts("ok");
  return failures != 0;
}
