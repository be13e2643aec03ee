// Users and groups of a process.
#include <grp.h>
#include <linux/capability.h>
#include <sys/fsuid.h>

#include "case.h"

static void all(const char* what) {
  uid_t r, e, s;
  gid_t gr, ge, gs;
  getresuid(&r, &e, &s);
  getresgid(&gr, &ge, &gs);
  SAY(what, "%u,%u,%u %u,%u,%u", r, e, s, gr, ge, gs);
}

CASE("the payload is root") {
  all("ids");
  SAY("getuid", "%u %u %u %u", getuid(), geteuid(), getgid(), getegid());
}

CASE("a process becomes a user for good") {
  put("roots", "x");
  CHILD("user", {
    VALUE(setgid(50));
    VALUE(setuid(1000));
    all("ids");
    VALUE(setuid(0));
    VALUE(setresuid(-1, 0, -1));
    VALUE(setgid(0));
    VALUE(setgroups(0, NULL));
    DO(chown("roots", 1000, 50));
    DO(chmod("roots", 0666));
    DO(sethostname("x", 1));
    DO(mknod("device", S_IFCHR, 0x103));
    DO(chroot("/conformance"));
  });
  all("the parent");
}

/// Raises what is permitted and, with `drops`, puts it down instead.
static int setPowers(int drops) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) < 0) return -1;
  for (int i = 0; i < 2; i++) {
    if (drops) data[i].permitted = 0;
    data[i].effective = data[i].permitted;
  }
  return (int)syscall(SYS_capset, &header, data);
}

CASE("who gives root up keeps its powers where it has asked for that, until it puts them down or executes") {
  CHILD("keeps", {
    VALUE(prctl(PR_SET_KEEPCAPS, 2));
    VALUE(prctl(PR_SET_KEEPCAPS, 1));
    VALUE(prctl(PR_GET_KEEPCAPS));
    VALUE(setresuid(1000, 1000, 1000));
    VALUE(setPowers(0));
    VALUE(setgroups(0, NULL));
    VALUE(setresgid(50, 50, 50));
    all("ids");
    VALUE(setPowers(1));
    VALUE(setgid(0));
    VALUE(setuid(0));
  });
  CHILD("does not", {
    VALUE(setresuid(1000, 1000, 1000));
    VALUE(setgroups(0, NULL));
  });
}

CASE("a user's files are the user's") {
  chmod(".", 0777);
  CHILD("user", {
    setgid(50), setuid(1000);
    put("theirs", "x");
    struct stat info;
    stat("theirs", &info);
    SAY("owner", "%u:%u", info.st_uid, info.st_gid);
    DO(chmod("theirs", 0600));
    DO(chown("theirs", 0, -1));
    DO(chown("theirs", -1, 0));
    DO(chown("theirs", -1, 50));
  });
}

CASE("ids change for a while") {
  CHILD("a while", {
    VALUE(seteuid(1000));
    all("ids");
    VALUE(seteuid(0));
    all("ids");
    VALUE(setegid(7));
    all("ids");
  });
}

CASE("ids change one by one") {
  CHILD("three", {
    VALUE(setresgid(11, 12, 13));
    VALUE(setresuid(1, 2, 3));
    all("ids");
    VALUE(setresuid(3, 1, 2));
    VALUE(setresuid(4, -1, -1));
    all("ids");
    VALUE(setreuid(-1, 3));
    VALUE(setreuid(2, -1));
    all("ids");
    VALUE(setresgid(-1, 13, -1));
    all("ids");
  });
}

CASE("root's setreuid sets the saved id too") {
  CHILD("two", {
    VALUE(setregid(5, 6));
    VALUE(setreuid(5, 6));
    all("ids");
    VALUE(setuid(5));
    VALUE(setuid(7));
    all("ids");
  });
}

CASE("supplementary groups are kept as they were set") {
  CHILD("groups", {
    gid_t set[] = {7, 5, 6};
    gid_t got[8] = {0};
    VALUE(setgroups(3, set));
    VALUE(getgroups(0, NULL));
    VALUE(getgroups(1, got));
    VALUE(getgroups(8, got));
    SAY("groups", "%u %u %u", got[0], got[1], got[2]);
    CHILD("their child", VALUE(getgroups(8, got)));
    VALUE(setgroups(0, NULL));
    VALUE(getgroups(8, got));
  });
}

CASE("the file system's ids") {
  VALUE(setfsuid(7));
  VALUE(setfsuid(-1));
  VALUE(setfsuid(0));
  VALUE(setfsgid(7));
  VALUE(setfsgid(-1));
  VALUE(setfsgid(0));
  CHILD("a file", {
    setfsgid(8);
    put("file", "");
    struct stat info;
    stat("file", &info);
    SAY("owner", "%u:%u", info.st_uid, info.st_gid);
  });
}

CASE("children and programs inherit ids") {
  CHILD("user", {
    setgid(3), setuid(4);
    CHILD("child", all("ids"));
    execl(self, self, "ids", NULL);
  });
}

CASE("root has capabilities, a user has none") {
  CHILD("capabilities", {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    DO(syscall(SYS_capget, &header, data));
    HOLDS((data[0].effective & (1 << CAP_CHOWN)) != 0 && (data[0].permitted & (1 << CAP_SETUID)) != 0);
    setuid(9);
    DO(syscall(SYS_capget, &header, data));
    HOLDS(data[0].effective == 0 && data[0].permitted == 0);
    data[0].effective = data[0].permitted = 1 << CAP_CHOWN;
    DO(syscall(SYS_capset, &header, data));
  });
}

CASE("threads' ids are each their own, as in the kernel") {
  CHILD("thread", {
    VALUE(syscall(SYS_setresuid, -1, 5, -1));
    VALUE(syscall(SYS_geteuid));
    VALUE(syscall(SYS_getuid));
  });
}

CASE("a program with the set-user-id bit gives its owner's id") {
  chmod(".", 0755);
  CHILD("user", {
    setgid(3), setuid(4);
    execl("/conformance/setuid", "setuid", "ids", NULL);
    SAY("exec", "%s", nameOf(errno));
  });
  CHILD("group", {
    setgid(3), setuid(4);
    execl("/conformance/setgid", "setgid", "ids", NULL);
    SAY("exec", "%s", nameOf(errno));
  });
}

CASE("root's signals reach a user's process, not the other way round") {
  int ends[2];
  pipe(ends);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    setuid(4);
    DO(kill(getppid(), 0));
    write(ends[1], "r", 1);
    pause();
    _exit(1);
  }
  char byte;
  read(ends[0], &byte, 1);
  VALUE(kill(child, SIGTERM));
  int status;
  waitpid(child, &status, 0);
  HOLDS(WIFSIGNALED(status));
}
