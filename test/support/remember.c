// Makes a tree one that remembers its owners: everything in it belongs to one user, and who it belonged to is in extended
// attributes, or for what can carry none in the file beside the tree.
// usage: remember UID GID TREE STORE
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static unsigned owner_uid, owner_gid;
static FILE* store;

static int put(unsigned char* to, unsigned field, unsigned value) {
  int n = 0;
  to[n++] = (unsigned char)(field << 3);
  for (; value >= 0x80; value >>= 7) to[n++] = (unsigned char)(value | 0x80);
  to[n++] = (unsigned char)value;
  return n;
}

static void fail(const char* path) {
  perror(path);
  exit(1);
}

static int visit(const char* path, const struct stat* st, int kind, struct FTW* at) {
  (void)kind;
  if (at->level > 0 && st->st_uid == owner_uid && st->st_gid == owner_gid) return 0;  // another name of one that was done
  if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode)) {
    unsigned char value[32];
    int size = put(value, 1, st->st_uid);
    size += put(value + size, 2, st->st_gid);
    if ((st->st_uid || st->st_gid || at->level == 0) &&
        setxattr(path, "user.rootlesscontainers", value, (size_t)size, 0) < 0)
      fail(path);
  } else {
    struct statx x;
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &x) < 0) fail(path);
    if (st->st_uid || st->st_gid)
      fprintf(store, "%llu %lld.%u %u %u\n", (unsigned long long)x.stx_ino, (long long)x.stx_btime.tv_sec,
              x.stx_btime.tv_nsec, st->st_uid, st->st_gid);
  }
  if (lchown(path, owner_uid, owner_gid) < 0) fail(path);
  // set-id bits go with a change of the owner
  if (!S_ISLNK(st->st_mode) && chmod(path, st->st_mode & 07777) < 0) fail(path);
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  owner_uid = (unsigned)atoi(argv[1]);
  owner_gid = (unsigned)atoi(argv[2]);
  store = fopen(argv[4], "a");
  if (!store) fail(argv[4]);
  if (nftw(argv[3], visit, 64, FTW_PHYS | FTW_MOUNT) != 0) fail(argv[3]);
  return fclose(store);
}
