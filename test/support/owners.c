// Does the same things with files wherever it is run, as random users: what each call answered, and whose everything is then. To be
// run as root in an empty directory, and compared. Nothing in here depends on the permissions of files: all are open to everybody.
// usage: owners SEED COUNT
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state;
static char here[256];

static unsigned draw(unsigned below) {
  state = state * 6364136223846793005ull + 1442695040888963407ull;
  return (unsigned)(state >> 33) % below;
}

static const char* const directories[] = {".", "d1", "d2", "d1/d3"};

/// A path in one of its forms; some are absolute, some go through a link to a directory.
static const char* drawPath(char* to) {
  const char* dir = directories[draw(4)];
  char name = (char)('a' + draw(6));
  switch (draw(5)) {
    case 0:
      sprintf(to, "%s/%s/%c", here, dir, name);
      break;
    case 1:
      sprintf(to, "to/%s/%c", dir, name);
      break;
    case 2:
      sprintf(to, "d2/../%s/%c", dir, name);
      break;
    default:
      sprintf(to, "%s/%c", dir, name);
  }
  return to;
}

static unsigned typeOf(const char* path) {
  struct stat st;
  return lstat(path, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

static int setsIds(const char* path) {
  struct stat st;
  return lstat(path, &st) == 0 && st.st_mode & (S_ISUID | S_ISGID);
}

static void showTree(const char* path) {
  struct stat st;
  if (lstat(path, &st) < 0) {
    printf("  %s errno %d\n", path, errno);
    return;
  }
  unsigned rdev = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? (unsigned)st.st_rdev : 0;
  struct statx x;
  statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &x);
  int same = x.stx_uid == st.st_uid && x.stx_gid == st.st_gid && x.stx_mode == st.st_mode &&
             makedev(x.stx_rdev_major, x.stx_rdev_minor) == st.st_rdev;
  printf("  %s %o %u:%u %x%s\n", path, st.st_mode, st.st_uid, st.st_gid, rdev, same ? "" : " differs in statx");
  if (!S_ISDIR(st.st_mode)) return;
  struct dirent** list;
  int count = scandir(path, &list, NULL, alphasort);
  for (int i = 0; i < count; i++) {
    char below[512];
    snprintf(below, sizeof below, "%s/%s", path, list[i]->d_name);
    if (strcmp(list[i]->d_name, ".") && strcmp(list[i]->d_name, "..")) showTree(below);
    free(list[i]);
  }
  free(list);
}

static void become(unsigned uid) {
  gid_t groups[] = {100 + uid, 100};
  if (setgroups(uid ? 2 : 0, groups) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid)) exit(3);
}

static void finish(int fd, const char* what) {
  struct stat st;
  if (fd < 0) {
    printf("%s: errno %d\n", what, errno);
    return;
  }
  if (fstat(fd, &st) == 0) printf("%s: %o %u:%u\n", what, st.st_mode, st.st_uid, st.st_gid);
  close(fd);
}

static void report(const char* what, int result) {
  if (result < 0) result = -errno;
  printf("%s: %d\n", what, result);
}

static void act(void) {
  char path[512], other[512], what[1200];
  unsigned uid = draw(3) ? 0 : 1 + draw(3);
  drawPath(path);
  drawPath(other);
  unsigned type = typeOf(path);
  int isDevice = type == S_IFCHR || type == S_IFBLK;
  unsigned kind = draw(17);
  // such as the kernel would take away from some
  unsigned bits = uid ? (draw(4) ? 0 : S_ISUID) : draw(4) << 10;
  unsigned owner = draw(4), group = draw(2) ? draw(4) : 100 + draw(4);
  become(uid);
  snprintf(what, sizeof what, "%u %u %s", uid, kind, path + (*path == '/' ? strlen(here) : 0));
  switch (kind) {
    case 0:
    case 1: {
      struct stat st;
      if (!isDevice && !(stat(path, &st) == 0 && S_ISCHR(st.st_mode)))
        finish(open(path, O_CREAT | O_WRONLY | O_NONBLOCK | (kind ? O_EXCL : 0), 0666 | bits), what);
      break;
    }
    case 2:
      report(what, mkdir(path, 0777));
      break;
    case 3:
      report(what, symlink(strrchr(other, '/') + 1, path));
      break;
    case 4:
      report(what, mkfifo(path, 0666));
      break;
    case 5:
      report(what, mknod(path, (draw(2) ? S_IFCHR : S_IFBLK) | 0666, makedev(250 + draw(100), draw(300))));
      break;
    case 6:
      // fs.protected_hardlinks
      if (type == S_IFREG && !setsIds(path)) report(what, link(path, other));
      break;
    case 7:
      report(what, rename(path, other));
      break;
    case 8:
      report(what, unlink(path));
      break;
    case 9:
      report(what, rmdir(path));
      break;
    case 10:
      report(what, lchown(path, owner, group));
      break;
    case 11:
      report(what, chown(path, draw(2) ? owner : (uid_t)-1, group));
      break;
    case 12: {
      int fd = open(path, O_PATH | O_NOFOLLOW);
      if (fd >= 0) report(what, fchownat(fd, "", owner, group, AT_EMPTY_PATH));
      close(fd);
      break;
    }
    case 13:
      if (!uid && type != S_IFLNK && type) report(what, chmod(path, (type == S_IFDIR ? 0777 : 0666 | draw(8) << 3) | draw(4) << 10));
      break;
    case 14: {
      int fd = open(directories[draw(3)], O_TMPFILE | O_RDWR, 0666);
      char link[64];
      sprintf(link, "/proc/self/fd/%d", fd);
      if (fd >= 0) report(what, linkat(AT_FDCWD, link, AT_FDCWD, path, AT_SYMLINK_FOLLOW));
      finish(fd, what);
      break;
    }
    case 15: {
      struct sockaddr_un address = {.sun_family = AF_UNIX};
      int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
      snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path);
      report(what, bind(fd, (struct sockaddr*)&address, sizeof address));
      socklen_t size = sizeof address;
      if (getsockname(fd, (struct sockaddr*)&address, &size) == 0)
        printf("%s\n", address.sun_path + (address.sun_path[0] == '/' ? strlen(here) : 0));
      close(fd);
      break;
    }
    case 16: {
      if (type != S_IFREG && type != S_IFDIR) break;
      int fd = open(path, O_RDONLY);
      report(what, fchown(fd, (uid_t)-1, group));
      finish(fd, what);
      break;
    }
  }
}

int main(int argc, char** argv) {
  if (argc != 3 || !getcwd(here, sizeof here)) return 2;
  int first = atoi(argv[1]), count = atoi(argv[2]);
  umask(0);
  chmod(".", 0777);
  chown(".", 0, 0);
  mkdir("d1", 0777);
  mkdir("d2", 0777);
  mkdir("d1/d3", 0777);
  symlink(here, "to");
  for (int i = 0; i < count; i++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      state = (uint64_t)(first + i) * 0x9e3779b97f4a7c15ull;
      draw(2);
      act();
      exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (status) return 1;
    if (i % 5 == 4) showTree(".");
  }
  return 0;
}
